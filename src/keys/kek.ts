import type { Clock } from '../base/clock.ts';
import type { RandomSource } from '../crypto/random.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { DescriptionCache, type DatedDescription } from './description-cache.ts';
import type { KeyAge, KeyEvents, KeyOutcome } from './key-events.ts';
import { explainRefusal, isUnavailable } from './key-errors.ts';
import { KeyError, type EncryptionContext, type KeyProvider, type NewKey, type WrappedKey } from './key-provider.ts';
import { newKey } from './new-key.ts';
import { quoted } from './quoted.ts';
import { versionAge } from './version-age.ts';

/** While a key service is not available it is asked again at most this often, where a cached key can serve. */
const retryAfterMs = 5_000;
const keyBytes = 32;
const maxVersionCharacters = 128;
const maxCiphertextBytes = 1_024;

/** A key provider as the caches see it: measured, its answers checked, and whether it answers at all remembered. */
export class Kek {
  readonly name: string;
  readonly provider: KeyProvider;
  readonly #clock: Clock;
  readonly #events: KeyEvents;
  readonly #descriptions: DescriptionCache;
  #current: string | undefined;
  #downSinceMs: number | undefined;

  constructor(provider: KeyProvider, { clock, events }: { readonly clock: Clock; readonly events: KeyEvents }) {
    this.name = provider.name;
    this.provider = provider;
    this.#clock = clock;
    this.#events = events;
    this.#descriptions = new DescriptionCache(provider, { clock });
  }

  /**
   * Whether it was not available when last asked, so that cached keys had better serve: they do so at once, while
   * every few seconds it is asked again in the background.
   */
  tideOver(): boolean {
    if (this.#downSinceMs === undefined) return false;
    const sinceMs = this.#clock.now() - this.#downSinceMs;
    if (sinceMs < 0 || sinceMs >= retryAfterMs) {
      this.#downSinceMs = this.#clock.now();
      // What fails here is noted by `#describe`, and tells whoever needs an answer when they ask for it.
      void this.#describe(() => this.#descriptions.refresh()).catch(() => {});
    }
    return true;
  }

  /** Its versions as of a few seconds ago at most; undefined while it is not available. */
  async description(signal?: AbortSignal): Promise<DatedDescription | undefined> {
    if (this.tideOver()) return undefined;
    try {
      return await this.#describe(() => this.#descriptions.get(signal));
    } catch (error) {
      if (isUnavailable(error)) return undefined;
      throw error;
    }
  }

  /** How old a version is as of the last description; asks for one where there is none, and never fails. */
  async ageOf(version: string): Promise<KeyAge> {
    const next = this.description().catch(() => undefined);
    const { versions = [] } = this.#descriptions.last ?? (await next) ?? {};
    if (versions[0] === version) return 'current';
    return versionAge(this.provider, version, { versions }) === -1 ? 'unknown' : 'previous';
  }

  /**
   * A new key of 32 bytes, the caller's to dispose, wrapped under the current version.
   * @throws KeyError `misconfigured` also where the answer is longer than an envelope can hold.
   */
  async makeKey(context: EncryptionContext, random: RandomSource, signal: AbortSignal): Promise<NewKey> {
    const made = await this.#measured({ call: 'wrap', signal }, () =>
      newKey(this.provider, context, { random, signal }),
    );
    if (!isStorable(made.wrapped) || made.key.bytes.length !== keyBytes) {
      made.key.dispose();
      throw new KeyError('misconfigured', `key ${quoted(this.name)} gives wrapped keys that no envelope can hold`);
    }
    this.#noteWrappedBy(made.wrapped.version);
    return made;
  }

  /** @throws KeyError `wrong_key` also where what comes out is not 32 bytes. */
  async unwrap(wrapped: WrappedKey, context: EncryptionContext, signal: AbortSignal): Promise<SecretBytes> {
    if (!isStorable(wrapped)) throw this.#wrongKey(wrapped.version);
    const { version } = wrapped;
    const call = { call: 'unwrap', signal, version } as const;
    const key = await this.#measured(call, () => this.provider.unwrap(wrapped, context, signal));
    if (key.bytes.length === keyBytes) return key;
    key.dispose();
    throw this.#wrongKey(wrapped.version);
  }

  async #measured<T>(
    {
      call,
      signal,
      version,
    }: { readonly call: 'wrap' | 'unwrap'; readonly signal: AbortSignal; readonly version?: string },
    run: () => Promise<T>,
  ): Promise<T> {
    const startedMs = performance.now();
    let outcome: KeyOutcome = 'ok';
    try {
      const result = await run();
      this.#downSinceMs = undefined;
      return result;
    } catch (error) {
      outcome = outcomeOf(error, signal);
      this.#noteFailure(error);
      throw explainRefusal(error, this.name, version);
    } finally {
      this.#events[call]({ keyName: this.name, outcome, durationMs: performance.now() - startedMs });
    }
  }

  async #describe(ask: () => Promise<DatedDescription>): Promise<DatedDescription> {
    try {
      const description = await ask();
      this.#downSinceMs = undefined;
      this.#noteCurrent(description.versions[0]);
      return description;
    } catch (error) {
      this.#noteFailure(error);
      throw explainRefusal(error, this.name);
    }
  }

  /** A version that is not the one described says that the key was rotated: the description is renewed before its time. */
  #noteWrappedBy(version: string): void {
    const { last } = this.#descriptions;
    if (last === undefined || last.versions[0] === version) return;
    void this.#describe(() => this.#descriptions.refresh()).catch(() => {});
  }

  #noteCurrent(current: string | undefined): void {
    const previous = this.#current;
    this.#current = current;
    if (previous === undefined || current === undefined || previous === current) return;
    this.#events.rotated({ keyName: this.name, previous, current });
  }

  /** A refusal is an answer: cached keys must not tide over a key service that is there and says no. */
  #noteFailure(error: unknown): void {
    if (isUnavailable(error)) this.#downSinceMs = this.#clock.now();
    else if (isRefusal(error)) this.#downSinceMs = undefined;
  }

  #wrongKey(version: string): KeyError {
    return new KeyError(
      'wrong_key',
      `what is said to be wrapped by version ${quoted(version)} of key ${quoted(this.name)} is not a wrapped key`,
    );
  }
}

/** Whether the key service answered, and the answer was no. The window refuses by itself, from what it knew before. */
export function isRefusal(error: unknown): boolean {
  return error instanceof KeyError && error.code !== 'unavailable' && error.code !== 'outside_window';
}

function isStorable({ version, ciphertext }: WrappedKey): boolean {
  return (
    version.length > 0 &&
    version.length <= maxVersionCharacters &&
    /^[\x20-\x7e]+$/.test(version) &&
    ciphertext.length > 0 &&
    ciphertext.length <= maxCiphertextBytes
  );
}

function outcomeOf(error: unknown, signal: AbortSignal): KeyOutcome {
  if (error instanceof KeyError) return error.code;
  return signal.aborted ? 'aborted' : 'error';
}
