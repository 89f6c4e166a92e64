import type { BackendSettings, Credential, KeySettings, Settings } from '../../config/settings.ts';
import type { CryptoInUse } from '../../crypto/crypto-in-use.ts';
import { byteText } from '../byte-text.ts';

type Policy = Settings['policies'][number];

/** What a gateway with these settings would serve; no secrets. */
export interface Served {
  readonly s3: string;
  readonly admin: string;
  readonly credentials: readonly Omit<Credential, 'secretAccessKey'>[];
  readonly backends: readonly ServedBackend[];
  readonly keys: readonly ServedKey[];
  readonly crypto: CryptoInUse;
  /** In the order of the configuration; the narrowest match wins. */
  readonly policies: readonly Policy[];
  /** Whether every request matches some policy; others are refused. */
  readonly everythingMatches: boolean;
}

interface ServedBackend {
  readonly name: string;
  readonly type: BackendSettings['type'];
  /** Endpoint, or directory. */
  readonly at: string;
}

interface ServedKey {
  readonly name: string;
  readonly type: string;
  /** Keyring file, or the key's place in its key service. */
  readonly at: string;
  readonly readPrevious: number;
  /** Versions in the keyring; missing where there is none yet, and for key services, which are not asked. */
  readonly versions?: number;
}

/** What was found out beyond the settings. */
interface Found {
  /** Versions in the keyring of each key that has one. */
  readonly keyVersions: ReadonlyMap<string, number>;
  readonly crypto: CryptoInUse;
}

/** Describes the effective settings, defaults included. Pure. */
export function describeServed(settings: Settings, { keyVersions, crypto }: Found): Served {
  const { listen, admin } = settings;
  const policies = settings.policies.map((policy) => withSuite(policy, crypto.suite));
  return {
    s3: addressOf(listen.tls === undefined ? 'http' : 'https', listen),
    admin: addressOf('http', admin),
    credentials: settings.credentials.map(({ accessKeyId, allow }) => ({ accessKeyId, allow })),
    backends: Array.from(settings.backends, ([name, backend]) => ({
      name,
      type: backend.type,
      at: backend.type === 's3' ? backend.endpoint : backend.root,
    })),
    keys: Array.from(settings.keys, ([name, key]) => {
      const versions = keyVersions.get(name);
      const { type, readPrevious } = key;
      return { name, type, at: placeOf(key), readPrevious, ...(versions === undefined ? {} : { versions }) };
    }),
    crypto,
    policies,
    everythingMatches: policies.some(({ match }) => Object.values(match).every(matchesAll)),
  };
}

function withSuite(policy: Policy, suite: CryptoInUse['suite']): Policy {
  const { encryption } = policy;
  return encryption.suite === 'auto' ? { ...policy, encryption: { ...encryption, suite } } : policy;
}

function placeOf(key: KeySettings): string {
  if (key.type === 'local') return key.file;
  return key.type === 'aws-kms' ? key.keyId : `${key.address}/v1/${key.mount}/keys/${key.key}`;
}

function addressOf(scheme: string, { host, port }: { readonly host: string; readonly port: number }): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function matchesAll(patterns: readonly string[]): boolean {
  return patterns.length === 0 || patterns.includes('*') || patterns.includes('');
}

/** The same in lines of text. */
export function servedText(served: Served): readonly string[] {
  return [
    `S3 listener     ${served.s3}`,
    `Admin listener  ${served.admin}`,
    'Access keys',
    ...served.credentials.flatMap(credentialLines),
    'Backends',
    ...served.backends.map(({ name, type, at }) => `  ${name}: ${type}, ${at}`),
    'Keys',
    ...served.keys.map(keyLine),
    ...cipherLines(served.crypto),
    'Policies (the narrowest match wins)',
    ...served.policies.map(policyLine),
    ...(served.everythingMatches ? [] : ['  everything else: refused']),
  ];
}

function credentialLines({ accessKeyId, allow }: Served['credentials'][number]): string[] {
  if (allow.length === 0) return [`  ${accessKeyId}: nothing`];
  return allow.map(({ actions, buckets, prefixes }) => {
    const prefixed = prefixes.includes('') ? '' : `, keys ${prefixes.map((prefix) => `${prefix}*`).join(' ')}`;
    return `  ${accessKeyId}: ${actions.join(', ')} in ${buckets.join(' ')}${prefixed}`;
  });
}

function keyLine({ name, type, at, readPrevious, versions }: ServedKey): string {
  const held = versions === undefined ? [] : [`${versions} ${versions === 1 ? 'version' : 'versions'}`];
  if (versions === undefined && type === 'local') held.push('not made yet');
  const details = [...held, `the current one and ${readPrevious} before it can be read`].join('; ');
  return `  ${name}: ${type}, ${at} (${details})`;
}

function cipherLines({ suite, instructions, bytesPerSecond }: CryptoInUse): string[] {
  const named = instructions === undefined ? 'not known' : instructions.join(' ') || 'none';
  const rates = Object.entries(bytesPerSecond).map(([name, rate]) => `${name} ${Math.round(rate / 1e6)} MB/s`);
  return [
    'Ciphers',
    `  ${suite} where a policy names none; a core of this machine: ${rates.join(', ')}`,
    `  instructions of the CPU in use: ${named}`,
  ];
}

function policyLine({ name, match, backend, encryption, limits }: Policy): string {
  const conditions = [
    ...(matchesAll(match.buckets) ? ['every bucket'] : [`buckets ${match.buckets.join(' ')}`]),
    ...(matchesAll(match.prefixes) ? [] : [`keys ${match.prefixes.map((prefix) => `${prefix}*`).join(' ')}`]),
    ...(matchesAll(match.accessKeys) ? [] : [`access keys ${match.accessKeys.join(' ')}`]),
  ];
  const { mode, key, suite, segmentSizeBytes, unencryptedReads, etag } = encryption;
  const how =
    mode === 'off'
      ? 'not encrypted'
      : `encrypted under ${key} (${suite}, segments of ${byteText(segmentSizeBytes)}), objects in clear ` +
        (unencryptedReads === 'deny' ? 'refused' : 'handed out') +
        (etag === 'md5' ? ", ETags are the plaintext's MD5" : '');
  return `  ${name}: ${conditions.join(', ')} → ${backend}, ${how}, objects up to ${byteText(limits.maxObjectBytes)}`;
}
