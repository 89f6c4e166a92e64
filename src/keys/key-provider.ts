import { CodedError } from '../base/coded-error.ts';
import type { Health } from '../base/health.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';

/** Why a key operation failed. `unavailable` is the only one worth a retry. */
export type KeyErrorCode =
  | 'unavailable' // the key service cannot be reached or is sealed
  | 'not_found' // no such key, or no such version of it
  | 'outside_window' // the version exists but is older than `readPrevious` allows
  | 'denied' // the key service refused our credentials
  | 'wrong_key' // the ciphertext does not open: another key, another context, or altered bytes
  | 'misconfigured'; // unreadable keyring file, bad permissions, canary mismatch

/** Failure of a key operation; the message never contains key material. */
export class KeyError extends CodedError<KeyErrorCode> {}

/**
 * Non-secret facts that a wrapped key is bound to (AWS KMS calls this the encryption context).
 * Unwrapping with any other context fails.
 */
export interface EncryptionContext {
  readonly policy: string;
  readonly bucket: string;
}

/** A 32-byte key wrapped by one version of a KEK. */
export interface WrappedKey {
  /** Version of the KEK, as the provider names it; at most 128 bytes of ASCII. */
  readonly version: string;
  /** Provider-specific ciphertext, at most 1 024 bytes. */
  readonly ciphertext: Uint8Array;
}

/** A key that was made a moment ago, and its wrapped form. */
export interface NewKey {
  /** 32 bytes; the caller's to dispose. */
  readonly key: SecretBytes;
  readonly wrapped: WrappedKey;
}

/** The versions of a KEK that unwrap: `versions[0]` is current, the rest are older ones, newest first. */
export interface KeyDescription {
  readonly versions: readonly string[];
  /** Versions that are there and unwrap nothing, newest first; missing where there are none, or where that is not known. */
  readonly retired?: readonly string[];
}

/**
 * Port to a key-encryption key (KEK): a local keyring, AWS KMS or Vault Transit.
 * Invariants, checked by `test/contract/key-provider.ts`:
 * - `wrap` uses the current version and says which it was.
 * - `unwrap(wrap(k, c), c)` gives `k`; with any other context it fails with `wrong_key`.
 * - A version that is not known fails with `not_found`; a service that does not answer with `unavailable`.
 * - The dual-read window is not the provider's affair: it unwraps every version that it still holds.
 * - Versions of one family are told apart by `wrap`, `makeKey` and `unwrap`, and stand as one in `describe`.
 * - After `rotate` the version that it named is `versions[0]`, and `wrap` uses it at once.
 */
export interface KeyProvider {
  /** Name under `keys:` in the configuration; stands in every envelope. */
  readonly name: string;
  /** How long a description may be taken for the present one, in milliseconds; by default 5 s. */
  readonly describeTtlMs?: number;
  /** What can be done about a version that it does not list, as the end of a sentence; missing: nothing in the gateway. */
  readonly unknownVersionAdvice?: string;
  /**
   * Name of what a version belongs to, where versions of one key of the service are opened and taken out of use together, as
   * the key materials behind an ARN of AWS KMS are: `describe` lists one of them, and the dual-read window takes the others for
   * it. Missing: each version stands alone.
   */
  familyOf?(version: string): string;
  describe(signal?: AbortSignal): Promise<KeyDescription>;
  /**
   * When versions became current, in milliseconds since the epoch, by version; those are missing of which the service does not
   * tell it.
   */
  versionTimesMs?(signal?: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** Makes a key and wraps it, where the service tells the exact version only of keys that it makes; use `newKey`. */
  makeKey?(context: EncryptionContext, signal?: AbortSignal): Promise<NewKey>;
  wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey>;
  unwrap(wrapped: WrappedKey, context: EncryptionContext, signal?: AbortSignal): Promise<SecretBytes>;
  health(signal?: AbortSignal): Promise<Health>;
  /**
   * Makes a new version, which is current from then on, and gives its name. Missing where the key service cannot be asked
   * to: then an administrator rotates there. What it asks of the service it asks once, also where no answer comes.
   */
  rotate?(signal?: AbortSignal): Promise<string>;
  /**
   * Makes another key of the service, which an administrator has made, the current version, and gives that version's name.
   * Missing where versions are not keys of their own.
   * @throws KeyError `misconfigured` where what is under the present key could not be read afterwards.
   */
  switchTo?(keyId: string, signal?: AbortSignal): Promise<string>;
  /**
   * Takes a version other than the current one, and all that are older where the service cannot take one alone, out of use:
   * it unwraps nothing more, until an administrator puts it back in the key service. Missing as above.
   * @throws KeyError `misconfigured` for the current version, `not_found` for one that is not there.
   */
  retire?(version: string, signal?: AbortSignal): Promise<void>;
  /**
   * Destroys a version other than the current one (where the service has a waiting time: asks for it), so that nobody ever
   * reads again what it protects. Missing and throws as above.
   */
  destroy?(version: string, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
