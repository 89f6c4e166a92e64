import type { Grant } from '../policy/grants.ts';
import type { ConfiguredPolicy, SuiteSetting } from '../policy/policy.ts';
import type { StoreQuirks } from '../store/quirks.ts';

export type { Grant };

export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly allow: readonly Grant[];
}

export interface TlsSettings {
  /** PEM text, already read from its file. */
  readonly cert: string;
  readonly key: string;
  /** PEM text: when given, clients must show a certificate that it signed. */
  readonly clientCa?: string;
}

export interface S3BackendSettings {
  readonly type: 's3';
  readonly endpoint: string;
  readonly region: string;
  readonly pathStyle: boolean;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** PEM text of a private CA. */
  readonly ca?: string;
  /** Connections kept to this backend. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** Longest wait for the backend's response headers after the request was sent. */
  readonly headersTimeoutMs: number;
  /** Longest silence within a body. */
  readonly bodyTimeoutMs: number;
  readonly retries: number;
  readonly quirks: StoreQuirks;
}

export interface FilesystemBackendSettings {
  readonly type: 'filesystem';
  readonly root: string;
}

export type BackendSettings = S3BackendSettings | FilesystemBackendSettings;

export interface LocalKeySettings {
  readonly type: 'local';
  readonly file: string;
  /** How many versions before the current one may still be read. */
  readonly readPrevious: number;
}

/** What every key service has that is asked over the network. */
export interface KeyServiceSettings {
  /** How many versions before the current one may still be read. */
  readonly readPrevious: number;
  /** Longest wait for one answer; a call with all its tries ends after twice that time. */
  readonly timeoutMs: number;
  /** Further tries of a call that got no answer. */
  readonly retries: number;
}

/** How to log in to Vault; `mount` is the path of the method without `auth/`. */
export type VaultAuthSettings =
  | { readonly method: 'token'; readonly token?: string; readonly tokenFile?: string }
  | {
      readonly method: 'approle';
      readonly mount: string;
      readonly roleId: string;
      readonly secretId?: string;
      readonly secretIdFile?: string;
    }
  | { readonly method: 'kubernetes'; readonly mount: string; readonly role: string; readonly tokenFile: string }
  | { readonly method: 'cert'; readonly mount: string; readonly role?: string };

export interface VaultTransitKeySettings extends KeyServiceSettings {
  readonly type: 'vault-transit';
  /** Scheme, host and port. */
  readonly address: string;
  readonly mount: string;
  readonly key: string;
  readonly namespace?: string;
  readonly auth: VaultAuthSettings;
  /** PEM texts, already read from their files. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface AwsKmsKeySettings extends KeyServiceSettings {
  readonly type: 'aws-kms';
  /** Id, ARN, alias or alias ARN. */
  readonly keyId: string;
  readonly previousKeyIds: readonly string[];
  readonly region?: string;
  readonly endpoint?: string;
  /** Undefined: what the AWS SDK finds. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  readonly profile?: string;
  readonly assumeRole?: { readonly roleArn: string; readonly externalId?: string; readonly sessionName: string };
}

export type KeySettings = LocalKeySettings | AwsKmsKeySettings | VaultTransitKeySettings;

export interface DataKeyCacheSettings {
  readonly ttlMs: number;
  readonly maxObjects: number;
  readonly maxBytes: number;
  readonly offlineTtlMs: number;
}

export interface CryptoSettings {
  /** For policies that name none. */
  readonly suite: SuiteSetting;
  /** Whether OpenSSL may use the CPU's instructions for ciphers and hashes. */
  readonly hardware: 'auto' | 'off';
  /** Beside the event loop, for large bodies; `auto`: as many as help, while they help. */
  readonly threads: 'auto' | number;
}

export interface ListenSettings {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsSettings;
  /** Host names under which clients reach the gateway; `<bucket>.<name>` is virtual-hosted style. */
  readonly publicHosts: readonly string[];
  /** Addresses or CIDR blocks whose `X-Forwarded-Host` is believed. */
  readonly trustedProxies: readonly string[];
  /** Longest time to finish running requests after SIGTERM. */
  readonly drainTimeoutMs: number;
}

export type AuditSinkSettings = { readonly type: 'stdout' } | { readonly type: 'file'; readonly file: string };

/** The whole configuration: read once at start, frozen, secrets resolved. */
export interface Settings {
  readonly listen: ListenSettings;
  readonly admin: { readonly host: string; readonly port: number; readonly token?: string };
  /** How many processes serve S3. */
  readonly workers: number;
  readonly credentials: readonly Credential[];
  readonly backends: ReadonlyMap<string, BackendSettings>;
  readonly keys: ReadonlyMap<string, KeySettings>;
  readonly dataKeyCache: DataKeyCacheSettings;
  readonly crypto: CryptoSettings;
  /** PEM text of the public key that bucket keys are sealed for a second time. */
  readonly recoveryPublicKey?: string;
  /** When keys are rotated (cron), by the names of those that are. */
  readonly rotationSchedules: ReadonlyMap<string, string>;
  readonly multipart: { readonly ledger: 'store'; readonly prefix: string; readonly bucket?: string };
  readonly policies: readonly ConfiguredPolicy[];
  readonly telemetry: {
    readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
    readonly metrics: { readonly bucketLabels: readonly string[] };
  };
  /** Undefined: standard output, for a process that has it for its log. */
  readonly audit: { readonly sinks?: readonly AuditSinkSettings[] };
}
