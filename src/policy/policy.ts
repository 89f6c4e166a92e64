/** What a policy applies to; empty lists match everything. Patterns may hold `*` (any run of characters). */
export interface PolicyMatch {
  readonly buckets: readonly string[];
  readonly prefixes: readonly string[];
  readonly accessKeys: readonly string[];
}

export type CipherSuite = 'aes-256-gcm' | 'chacha20-poly1305';

/** A suite as it is configured: `auto` is resolved at start, by what the machine can do. */
export type SuiteSetting = CipherSuite | 'auto';

export interface EncryptionSettings<Suite extends SuiteSetting = CipherSuite> {
  readonly mode: 'required' | 'off';
  /** Name under `keys:`. */
  readonly key: string;
  readonly suite: Suite;
  /** Plaintext bytes per segment: a power of two from 65 536 to 1 048 576. */
  readonly segmentSizeBytes: number;
  /** Whether a read may return an object that is not in format 1. */
  readonly unencryptedReads: 'deny' | 'allow';
  /** Which ETag objects have for clients: one that follows from the backend's, or the MD5 of the plaintext. */
  readonly etag: 'opaque' | 'md5';
}

/** One policy file: which requests it is for, where their objects live, how they are encrypted. */
export interface Policy<Suite extends SuiteSetting = CipherSuite> {
  readonly name: string;
  readonly match: PolicyMatch;
  /** Name under `backends:`. */
  readonly backend: string;
  readonly encryption: EncryptionSettings<Suite>;
  readonly limits: { readonly maxObjectBytes: number };
}

/** A policy as it stands in the configuration. */
export type ConfiguredPolicy = Policy<SuiteSetting>;

/** The suite where a policy leaves it open, and which ones this runtime has. */
export interface SuitesInUse {
  readonly suite: CipherSuite;
  readonly isAvailable: (suite: CipherSuite) => boolean;
}

/**
 * The policies with `suite` where they leave it open.
 * @throws Error where one that encrypts has a suite that this runtime lacks.
 */
export function resolveSuites(
  policies: readonly ConfiguredPolicy[],
  { suite, isAvailable }: SuitesInUse,
): readonly Policy[] {
  return policies.map((policy) => {
    const { encryption } = policy;
    const chosen = encryption.suite === 'auto' ? suite : encryption.suite;
    if (encryption.mode === 'required' && !isAvailable(chosen))
      throw new Error(`the policy "${policy.name}" encrypts with ${chosen}, which this runtime does not have`);
    return { ...policy, encryption: { ...encryption, suite: chosen } };
  });
}
