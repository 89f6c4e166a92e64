import { resolve } from 'node:path';

import { type ConvertContext, isLoopback, loadPem } from './convert.ts';
import type { KeySection } from './schema.ts';
import type { AwsKmsKeySettings, KeySettings, VaultAuthSettings, VaultTransitKeySettings } from './settings.ts';

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

type Path = readonly PropertyKey[];
type AwsSection = Extract<KeySection, { type: 'aws-kms' }>;
type VaultSection = Extract<KeySection, { type: 'vault-transit' }>;
type AuthSection = VaultSection['auth'];

/** Converts one key; `readPrevious` is the window of keys that do not set their own. */
export async function convertKey(
  name: string,
  section: KeySection,
  { readPrevious, context }: { readonly readPrevious: number; readonly context: ConvertContext },
): Promise<KeySettings> {
  const own = section.rotation?.readPrevious ?? readPrevious;
  if (section.type === 'local') {
    return { type: 'local', file: resolve(context.directory, section.file), readPrevious: own };
  }
  return section.type === 'aws-kms'
    ? convertAwsKey(['keys', name], section, { readPrevious: own, context })
    : convertVaultKey(['keys', name], section, { readPrevious: own, context });
}

function convertAwsKey(
  path: Path,
  section: AwsSection,
  { readPrevious, context }: { readonly readPrevious: number; readonly context: ConvertContext },
): AwsKmsKeySettings {
  const { keyId, previousKeyIds, region, endpoint, credentials, profile, assumeRole, timeoutMs, retries } = section;
  checkRegions(path, section, context);
  if (credentials !== 'aws-default' && profile !== undefined) {
    context.report([...path, 'profile'], 'stands beside credentials, which come first');
  }
  return {
    type: 'aws-kms',
    keyId,
    previousKeyIds,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined
      ? {}
      : { endpoint: convertServiceAddress(endpoint, { path: [...path, 'endpoint'], section, context }) }),
    ...(credentials === 'aws-default' ? {} : { credentials: awsKeysOf(credentials) }),
    ...(profile === undefined ? {} : { profile }),
    ...(assumeRole === undefined ? {} : { assumeRole: assumedRoleOf(assumeRole) }),
    readPrevious,
    timeoutMs,
    retries,
  };
}

function awsKeysOf({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: Exclude<AwsSection['credentials'], string>): NonNullable<AwsKmsKeySettings['credentials']> {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function assumedRoleOf({
  roleArn,
  externalId,
  sessionName,
}: NonNullable<AwsSection['assumeRole']>): NonNullable<AwsKmsKeySettings['assumeRole']> {
  return { roleArn, sessionName, ...(externalId === undefined ? {} : { externalId }) };
}

/** Undefined for what is of no Region, or of several. */
function regionOf(keyId: string): string | undefined {
  return /^arn:[^:]*:kms:([^:]+):(?!.*key\/mrk-)/.exec(keyId)?.[1];
}

/** One client asks one Region, so every ARN must be of it; a multi-Region key has a replica there, whatever its ARN says. */
function checkRegions(path: Path, { keyId, previousKeyIds, region }: AwsSection, context: ConvertContext): void {
  const home = region ?? regionOf(keyId);
  if (home === undefined) return;
  const names = [[[...path, 'keyId'], keyId] as const, ...previousKeyIds.map(previousAt(path))];
  for (const [place, name] of names) {
    const other = regionOf(name);
    if (other !== undefined && other !== home) context.report(place, `is of Region ${other}, and not of ${home}`);
  }
}

function previousAt(path: Path): (keyId: string, index: number) => readonly [Path, string] {
  return (keyId, index) => [[...path, 'previousKeyIds', index], keyId];
}

async function convertVaultKey(
  path: Path,
  section: VaultSection,
  { readPrevious, context }: { readonly readPrevious: number; readonly context: ConvertContext },
): Promise<VaultTransitKeySettings> {
  const { mount, key, namespace, timeoutMs, retries } = section;
  const address = convertServiceAddress(section.address, { path: [...path, 'address'], section, context });
  const tls = await convertVaultTls(path, section, context);
  return {
    type: 'vault-transit',
    address,
    mount,
    key,
    ...(namespace === undefined ? {} : { namespace }),
    auth: convertVaultAuth([...path, 'auth'], section, context),
    ...(tls === undefined ? {} : { tls }),
    readPrevious,
    timeoutMs,
    retries,
  };
}

/** Keys go over this connection in clear, so plain HTTP to another machine must be asked for by name. */
function convertServiceAddress(
  text: string,
  {
    path,
    section,
    context,
  }: { readonly path: Path; readonly section: { readonly allowPlainHttp: boolean }; readonly context: ConvertContext },
): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    context.report(path, 'must be an address such as https://vault.example.org:8200');
    return text;
  }
  if (url.username !== '' || url.password !== '') context.report(path, 'must not hold credentials');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    context.report(path, 'must end after host and port');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    if (section.allowPlainHttp)
      context.warn(`${path.join('.')}: keys and tokens can be read on the way to ${url.hostname}`);
    else
      context.report(path, 'must begin with https:// (allowPlainHttp: true lets keys and tokens go over plain HTTP)');
  }
  return url.origin;
}

async function convertVaultTls(
  path: Path,
  { tls, auth }: VaultSection,
  context: ConvertContext,
): Promise<VaultTransitKeySettings['tls']> {
  const loaded: { ca?: string; cert?: string; key?: string } = {};
  for (const field of ['ca', 'cert', 'key'] as const) {
    const value = tls?.[field];
    if (value !== undefined) loaded[field] = await loadPem(value, [...path, 'tls', field], context);
  }
  if ((loaded.cert === undefined) !== (loaded.key === undefined)) {
    context.report([...path, 'tls'], 'must have both cert and key, or neither');
  }
  if (auth.method === 'cert' && loaded.cert === undefined) {
    context.report([...path, 'auth', 'method'], 'cert needs tls.cert and tls.key');
  }
  return tls === undefined ? undefined : loaded;
}

/** Fields of the section that each method takes, beside method and mount. */
const fieldsOfMethods: Readonly<Record<AuthSection['method'], readonly (keyof AuthSection)[]>> = {
  token: ['token', 'tokenFile'],
  approle: ['roleId', 'secretId', 'secretIdFile'],
  kubernetes: ['role', 'tokenFile'],
  cert: ['role'],
};

function convertVaultAuth(path: Path, { auth }: VaultSection, context: ConvertContext): VaultAuthSettings {
  const { method, mount = method } = auth;
  for (const field of ['token', 'tokenFile', 'roleId', 'secretId', 'secretIdFile', 'role'] as const) {
    if (auth[field] === undefined || fieldsOfMethods[method].includes(field)) continue;
    context.report([...path, field], `is not for the method ${method}`);
  }
  const mustHave = (field: keyof AuthSection): string => {
    if (auth[field] === undefined) context.report([...path, 'method'], `${method} needs ${field}`);
    return auth[field] ?? '';
  };
  const file = (value: string): string => resolve(context.directory, value);
  if (method === 'token') {
    refuseBoth(path, ['token', 'tokenFile'], auth, context);
    return auth.tokenFile === undefined
      ? { method, token: mustHave('token') }
      : { method, tokenFile: file(auth.tokenFile) };
  }
  if (method === 'kubernetes') {
    return { method, mount, role: mustHave('role'), tokenFile: file(auth.tokenFile ?? serviceAccountToken) };
  }
  if (method === 'cert') return { method, mount, ...(auth.role === undefined ? {} : { role: auth.role }) };
  refuseBoth(path, ['secretId', 'secretIdFile'], auth, context);
  return {
    method,
    mount,
    roleId: mustHave('roleId'),
    ...(auth.secretId === undefined ? {} : { secretId: auth.secretId }),
    ...(auth.secretIdFile === undefined ? {} : { secretIdFile: file(auth.secretIdFile) }),
  };
}

function refuseBoth(
  path: Path,
  [one, other]: readonly [keyof AuthSection, keyof AuthSection],
  auth: AuthSection,
  context: ConvertContext,
): void {
  if (auth[one] !== undefined && auth[other] !== undefined) context.report([...path, other], `stands beside ${one}`);
}
