import { systemClock, type Clock } from '../base/clock.ts';
import type { Health } from '../base/health.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { DescriptionCache } from './description-cache.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyDescription,
  type KeyProvider,
  type NewKey,
  type WrappedKey,
} from './key-provider.ts';
import { quoted } from './quoted.ts';
import { versionAge } from './version-age.ts';

/** How many versions before the current one may still be read (0: only the current one). */
export interface DualReadWindowOptions {
  readonly readPrevious: number;
  readonly clock?: Clock;
}

/**
 * Lets only the current version of a key and the `readPrevious` versions before it be unwrapped, so that after a rotation
 * old and new objects are read, and a version that ought to be out of use is found out. The versions are asked for at
 * most every few seconds, and once more when one turns up that is not among them.
 */
export class DualReadWindow implements KeyProvider {
  readonly name: string;
  readonly describeTtlMs?: number;
  readonly unknownVersionAdvice?: string;
  readonly familyOf?: (version: string) => string;
  readonly makeKey?: (context: EncryptionContext, signal?: AbortSignal) => Promise<NewKey>;
  readonly #inner: KeyProvider;
  readonly #readPrevious: number;
  readonly #descriptions: DescriptionCache;

  constructor(inner: KeyProvider, { readPrevious, clock = systemClock }: DualReadWindowOptions) {
    if (!Number.isSafeInteger(readPrevious) || readPrevious < 0) {
      throw new KeyError('misconfigured', `rotation.readPrevious of key ${quoted(inner.name)} must be 0 or more`);
    }
    this.name = inner.name;
    if (inner.describeTtlMs !== undefined) this.describeTtlMs = inner.describeTtlMs;
    if (inner.unknownVersionAdvice !== undefined) this.unknownVersionAdvice = inner.unknownVersionAdvice;
    if (inner.familyOf !== undefined) this.familyOf = inner.familyOf.bind(inner);
    if (inner.makeKey !== undefined) this.makeKey = inner.makeKey.bind(inner);
    this.#inner = inner;
    this.#readPrevious = readPrevious;
    this.#descriptions = new DescriptionCache(inner, { clock });
  }

  /** Always the provider's present answer. */
  async describe(signal?: AbortSignal): Promise<KeyDescription> {
    const { askedAtMs: _, ...description } = await this.#descriptions.refresh(signal);
    return description;
  }

  wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey> {
    return this.#inner.wrap(key, context, signal);
  }

  /** @throws KeyError `outside_window` for a version that is too old, `not_found` for one that the provider does not list. */
  async unwrap(wrapped: WrappedKey, context: EncryptionContext, signal?: AbortSignal): Promise<SecretBytes> {
    let description = await this.#descriptions.get(signal);
    if (versionAge(this, wrapped.version, description) === -1) description = await this.#descriptions.refresh(signal);
    this.#check(wrapped.version, description);
    return this.#inner.unwrap(wrapped, context, signal);
  }

  health(signal?: AbortSignal): Promise<Health> {
    return this.#inner.health(signal);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #check(version: string, description: KeyDescription): void {
    const { retired = [] } = description;
    const age = versionAge(this, version, description);
    if (retired.includes(version)) {
      throw new KeyError(
        'not_found',
        `version ${quoted(version)} of key ${quoted(this.name)} has been retired: an administrator can put it back in the ` +
          'key service, and s3eg rewrap can move what is under it to the current version then',
      );
    }
    if (age === -1) {
      const advice = this.unknownVersionAdvice === undefined ? '' : `: ${this.unknownVersionAdvice}`;
      throw new KeyError('not_found', `key ${quoted(this.name)} has no version ${quoted(version)}${advice}`);
    }
    if (age <= this.#readPrevious) return;
    throw new KeyError(
      'outside_window',
      `version ${quoted(version)} of key ${quoted(this.name)} is ${age} versions behind the current one, and ` +
        `rotation.readPrevious lets ${this.#readPrevious} be read: ` +
        `raise rotation.readPrevious to ${age} or more, or rewrap what is under that version (s3eg rewrap)`,
    );
  }
}
