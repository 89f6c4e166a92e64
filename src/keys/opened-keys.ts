import { LRUCache } from 'lru-cache';

import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { cacheLife, type CacheLife, type CacheTimes } from './cache-life.ts';
import type { Kek } from './kek.ts';
import { isUnavailable } from './key-errors.ts';
import type { KeyEvents } from './key-events.ts';
import type { EncryptionContext, WrappedKey } from './key-provider.ts';
import { LeasedSecret } from './leased-secret.ts';

/** A wrapped bucket key, and what it was wrapped under. */
export interface OpenRequest {
  readonly kek: Kek;
  readonly wrapped: WrappedKey;
  readonly context: EncryptionContext;
}

/** What a cache of keys needs to know. */
export interface KeyCacheOptions {
  readonly times: CacheTimes;
  /** Keys held at most; the least recently used goes first. */
  readonly maxEntries: number;
  readonly clock: Clock;
  readonly events: KeyEvents;
}

interface OpenedKey {
  readonly id: string;
  readonly leased: LeasedSecret;
  /** When the key service was asked for it. */
  sinceMs: number;
}

/**
 * Bucket keys that were unwrapped, by what they were unwrapped from. Past its ttl a key is unwrapped anew, so that one that
 * has been revoked stops serving; while the key service is not available it goes on until the offline ttl.
 */
export class OpenedKeys {
  readonly #times: CacheTimes;
  readonly #clock: Clock;
  readonly #events: KeyEvents;
  readonly #flights = new SingleFlight<OpenedKey, void>();
  /** Keys that are being opened for the first time, each as long as a request waits for it. */
  readonly #opening = new Map<string, OpenedKey>();
  readonly #cache: LRUCache<string, OpenedKey>;
  #closed = false;

  constructor({ times, maxEntries, clock, events }: KeyCacheOptions) {
    this.#times = times;
    this.#clock = clock;
    this.#events = events;
    this.#cache = new LRUCache({ max: maxEntries, dispose: ({ leased }) => leased.retire() });
  }

  /**
   * Calls `use` with the bucket key, which it must not keep.
   * @throws KeyError what the provider throws, and what `use` throws.
   */
  async withKey<T>(request: OpenRequest, use: (key: SecretBytes) => T, signal?: AbortSignal): Promise<T> {
    const id = idOf(request);
    const entry = this.#cache.get(id) ?? this.#opening.get(id) ?? this.#begin(id);
    entry.leased.lease();
    try {
      await this.#validate(entry, request, signal);
      return use(entry.leased.secret);
    } finally {
      entry.leased.release();
      if (!entry.leased.filled && entry.leased.idle) this.#forget(entry);
    }
  }

  /** Puts in a bucket key that this process made: it needs no unwrapping. `key` is copied. */
  remember(request: OpenRequest, key: SecretBytes, sinceMs: number): void {
    const leased = new LeasedSecret();
    leased.put(key.clone());
    this.#add({ id: idOf(request), leased, sinceMs });
  }

  /** Zeroes the keys that can serve no more, which nothing may ever push out. To be called every now and then. */
  sweep(): void {
    const over = [...this.#cache.values()].filter((entry) => entry.leased.idle && this.#lifeOf(entry) === 'over');
    for (const entry of over) this.#forget(entry);
  }

  /** Zeroes every key that no request is using, and the others when it is done with them. */
  close(): void {
    this.#closed = true;
    this.#cache.clear();
  }

  async #validate(entry: OpenedKey, request: OpenRequest, signal: AbortSignal | undefined): Promise<void> {
    const { kek } = request;
    const life = this.#lifeOf(entry);
    if (life === 'fresh' || (life === 'offline' && kek.tideOver())) {
      this.#events.cacheHit({ keyName: kek.name, cache: 'unwrap', offline: life === 'offline' });
      return;
    }
    this.#events.cacheMiss({ keyName: kek.name, cache: 'unwrap' });
    try {
      await this.#flights.run(entry, (shared) => this.#open(entry, request, shared), signal);
    } catch (error) {
      if (!isUnavailable(error) || this.#lifeOf(entry) === 'over') throw error;
      this.#events.cacheHit({ keyName: kek.name, cache: 'unwrap', offline: true });
    }
  }

  async #open(entry: OpenedKey, { kek, wrapped, context }: OpenRequest, signal: AbortSignal): Promise<void> {
    const sinceMs = this.#clock.now();
    try {
      const key = await kek.unwrap(wrapped, context, signal);
      entry.leased.put(key);
      entry.sinceMs = sinceMs;
    } catch (error) {
      // Refused, not merely unanswered: the key that was cached must not serve any longer either.
      if (!isUnavailable(error) && !signal.aborted) this.#forget(entry);
      throw error;
    }
    // Only now: what does not open must not push out what did.
    if (this.#opening.get(entry.id) === entry) {
      this.#opening.delete(entry.id);
      this.#add(entry);
    }
  }

  #lifeOf({ leased, sinceMs }: OpenedKey): CacheLife {
    return leased.filled ? cacheLife(sinceMs, this.#clock.now(), this.#times) : 'over';
  }

  #begin(id: string): OpenedKey {
    const entry = { id, leased: new LeasedSecret(), sinceMs: 0 };
    this.#opening.set(id, entry);
    return entry;
  }

  #add(entry: OpenedKey): void {
    if (this.#closed) entry.leased.retire();
    else this.#cache.set(entry.id, entry);
  }

  #forget(entry: OpenedKey): void {
    if (this.#cache.peek(entry.id) === entry) this.#cache.delete(entry.id);
    if (this.#opening.get(entry.id) !== entry) return;
    this.#opening.delete(entry.id);
    // Should the key service still answer, when nobody waits any more, the answer is zeroed.
    entry.leased.retire();
  }
}

/** Everything that decides what comes out, with the lengths of its texts in front, so that no two requests share an id. */
function idOf({ kek, wrapped: { version, ciphertext }, context: { policy, bucket } }: OpenRequest): string {
  const bytes = Buffer.from(ciphertext.buffer, ciphertext.byteOffset, ciphertext.byteLength).toString('latin1');
  return `${kek.name.length} ${version.length} ${policy.length} ${bucket.length} ${kek.name}${version}${policy}${bucket}${bytes}`;
}
