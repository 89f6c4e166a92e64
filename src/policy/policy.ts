/** What a policy applies to; empty lists match everything. Patterns may hold `*` (any run of characters). */
export interface PolicyMatch {
  readonly buckets: readonly string[];
  readonly prefixes: readonly string[];
  readonly accessKeys: readonly string[];
}

export type CipherSuite = 'aes-256-gcm' | 'chacha20-poly1305';

export interface EncryptionSettings {
  readonly mode: 'required' | 'off';
  /** Name under `keys:`. */
  readonly key: string;
  readonly suite: CipherSuite;
  /** Plaintext bytes per segment: a power of two from 65 536 to 1 048 576. */
  readonly segmentSizeBytes: number;
  /** Whether a read may return an object that is not in format 1. */
  readonly unencryptedReads: 'deny' | 'allow';
  /** Which ETag objects have for clients: one that follows from the backend's, or the MD5 of the plaintext. */
  readonly etag: 'opaque' | 'md5';
}

/** One policy file: which requests it is for, where their objects live, how they are encrypted. */
export interface Policy {
  readonly name: string;
  readonly match: PolicyMatch;
  /** Name under `backends:`. */
  readonly backend: string;
  readonly encryption: EncryptionSettings;
  readonly limits: { readonly maxObjectBytes: number };
}
