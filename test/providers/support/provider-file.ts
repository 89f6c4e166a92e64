/** Providers as data: what each lacks, with the reason, and where it is. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Names of capabilities are those of `s3eg doctor`. */
export type CapabilityName = string;

/** One file of `test/providers/providers`. */
export interface ProviderFile {
  readonly title: string;
  /** How the tests start it; else it is where the environment says. */
  readonly start?: 'embedded' | 'minio' | 'versitygw' | 'ceph' | 'moto';
  /** Usual endpoint, for the documentation. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle?: boolean;
  /** Whether the flags were found by `s3eg doctor`; else they are what the provider documents. */
  readonly flags: 'measured' | 'documented';
  /** Why a capability is missing. */
  readonly lacks: Readonly<Record<CapabilityName, string>>;
  /** The section `quirks` that a gateway in front of it needs. */
  readonly quirks: { readonly ignoresConditions?: readonly string[]; readonly equalPartSizes?: boolean };
}

/** A provider with its name, which is that of its file. */
export interface Provider extends ProviderFile {
  readonly name: string;
}

const folder = join(import.meta.dirname, '..', 'providers');

/** All providers, by name. */
export function allProviders(): readonly Provider[] {
  return globSync('*.json', { cwd: folder })
    .toSorted()
    .map((file) => {
      const parsed: ProviderFile = JSON.parse(readFileSync(join(folder, file), 'utf8'));
      return { ...parsed, name: basename(file, '.json') };
    });
}

/** Where a provider is that the tests do not start. */
export interface ProviderAccess {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Beginning of the names of all buckets. */
  readonly bucketPrefix: string;
}

/** Variables of the environment; the first three have to be set. */
export function variablesOf({ name }: Pick<Provider, 'name'>): readonly string[] {
  const prefix = `S3EG_PROVIDER_${name.toUpperCase().replaceAll('-', '_')}`;
  return ['ENDPOINT', 'ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'REGION', 'BUCKET_PREFIX'].map(
    (suffix) => `${prefix}_${suffix}`,
  );
}

/** What the environment says of a provider; the names of the variables that are missing. */
export function accessFromEnvironment(provider: Provider): ProviderAccess | { readonly missing: readonly string[] } {
  const names = variablesOf(provider);
  const [endpoint = '', accessKeyId = '', secretAccessKey = '', region = '', bucketPrefix = ''] = names.map(
    (name) => process.env[name] ?? '',
  );
  const missing = names.slice(0, 3).filter((name) => (process.env[name] ?? '') === '');
  if (missing.length > 0) return { missing };
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    region: region === '' ? (provider.region ?? 'us-east-1') : region,
    bucketPrefix: bucketPrefix === '' ? 's3eg-test' : bucketPrefix,
  };
}
