import { LRUCache } from 'lru-cache';

import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { RandomSource } from '../crypto/random.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { cacheLife, type CacheTimes } from './cache-life.ts';
import type { DatedDescription } from './description-cache.ts';
import { encodeContext } from './encryption-context.ts';
import { isUnavailable, type Kek } from './kek.ts';
import type { KeyEvents } from './key-events.ts';
import type { EncryptionContext, WrappedKey } from './key-provider.ts';
import { LeasedSecret } from './leased-secret.ts';
import type { KeyCacheOptions, OpenRequest } from './opened-keys.ts';

const bucketKeyBytes = 32;

/** How much one bucket key wraps at most; an object larger than `maxBytes` gets a bucket key of its own. */
export interface BucketKeyLimits {
  readonly maxObjects: number;
  readonly maxBytes: number;
}

/** What asks for a bucket key: `bytes` is what it is going to encrypt, 0 where that is not known. */
export interface BucketKeyRequest {
  readonly kek: Kek;
  readonly context: EncryptionContext;
  readonly bytes: number;
}

/** `onMade` is told of every new bucket key, before anyone uses it; it must copy what it keeps. */
export interface BucketKeysOptions extends KeyCacheOptions {
  readonly limits: BucketKeyLimits;
  readonly random: RandomSource;
  readonly onMade: (request: OpenRequest, key: SecretBytes, madeAtMs: number) => void;
}

/** The bucket keys of one KEK, policy and bucket: the one in use, and the one that is being wrapped by the KEK. */
interface Lane {
  readonly id: string;
  ready: BucketKey | undefined;
  making: BucketKey | undefined;
}

/**
 * Bucket keys to wrap data keys under. Each serves for a bounded time, number of objects and number of bytes, and only as long
 * as the version of the KEK that wrapped it is current. While the key service is not available a bucket key serves past its
 * ttl until the offline ttl; objects and bytes stay bounded.
 */
export class BucketKeys {
  readonly #times: CacheTimes;
  readonly #limits: BucketKeyLimits;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #events: KeyEvents;
  readonly #onMade: BucketKeysOptions['onMade'];
  readonly #flights = new SingleFlight<BucketKey, void>();
  readonly #lanes: LRUCache<string, Lane>;
  #closed = false;

  constructor(options: BucketKeysOptions) {
    this.#times = options.times;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#events = options.events;
    this.#onMade = options.onMade;
    this.#lanes = new LRUCache({ max: options.maxEntries, dispose: ({ ready }) => ready?.leased.retire() });
  }

  /**
   * Calls `use` with a bucket key, which it must not keep, and its wrapped form.
   * @throws KeyError what the provider throws.
   */
  async withKey<T>(
    request: BucketKeyRequest,
    use: (key: SecretBytes, wrapped: WrappedKey) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    const description = await request.kek.description(signal);
    const lane = this.#laneOf(request);
    const ready = this.#takeReady(lane, request, description);
    if (ready !== undefined) return ready.use(use);
    this.#events.cacheMiss({ keyName: request.kek.name, cache: 'wrap' });
    const making = this.#takeMaking(lane, request.bytes);
    making.leased.lease();
    try {
      await this.#flights.run(making, (shared) => this.#make(making, { lane, request, signal: shared }), signal);
      return making.use(use);
    } catch (error) {
      // Now that the provider is known to be down, a key past its ttl will do.
      const offline = isUnavailable(error) ? this.#takeReady(lane, request, undefined) : undefined;
      if (offline === undefined) throw error;
      return offline.use(use);
    } finally {
      making.leased.release();
    }
  }

  /** Zeroes every key that no request is using, and the others when it is done with them. */
  close(): void {
    this.#closed = true;
    this.#lanes.clear();
  }

  /** The key in use, if it may serve one object more, which is then counted. */
  #takeReady(
    { ready }: Lane,
    { kek, bytes }: BucketKeyRequest,
    description: DatedDescription | undefined,
  ): BucketKey | undefined {
    if (ready === undefined) return undefined;
    const life = cacheLife(ready.madeAtMs, this.#clock.now(), this.#times);
    const serves =
      life === 'fresh' && description !== undefined ? ready.isOfCurrentVersion(description) : kek.tideOver();
    if (life === 'over' || !serves || !ready.reserve(bytes, this.#limits)) return undefined;
    this.#events.cacheHit({ keyName: kek.name, cache: 'wrap', offline: life === 'offline' });
    return ready;
  }

  /** The key that is being made, if it will hold this object too; else another one beside it. */
  #takeMaking(lane: Lane, bytes: number): BucketKey {
    if (lane.making?.reserve(bytes, this.#limits) === true) return lane.making;
    const making = new BucketKey();
    making.reserve(bytes, this.#limits);
    lane.making = making;
    return making;
  }

  async #make(
    making: BucketKey,
    {
      lane,
      request,
      signal,
    }: { readonly lane: Lane; readonly request: BucketKeyRequest; readonly signal: AbortSignal },
  ): Promise<void> {
    const { kek, context } = request;
    const madeAtMs = this.#clock.now();
    const key = new SecretBytes(this.#random(bucketKeyBytes));
    try {
      const wrapped = await kek.wrap(key, context, signal);
      this.#onMade({ kek, wrapped, context }, key, madeAtMs);
      making.complete(key, wrapped, madeAtMs);
      this.#install(lane, making);
    } catch (error) {
      key.dispose();
      throw error;
    } finally {
      if (lane.making === making) lane.making = undefined;
    }
  }

  /** A key that is used up already, or that comes after a newer one or after the lane has gone, serves its waiters only. */
  #install(lane: Lane, made: BucketKey): void {
    const older = lane.ready !== undefined && lane.ready.madeAtMs > made.madeAtMs;
    if (older || !made.hasRoom(this.#limits) || this.#lanes.peek(lane.id) !== lane) {
      made.leased.retire();
      return;
    }
    if (lane.ready !== made) lane.ready?.leased.retire();
    lane.ready = made;
  }

  #laneOf({ kek, context }: BucketKeyRequest): Lane {
    const id = `${kek.name}\0${Buffer.from(encodeContext(context)).toString('latin1')}`;
    const known = this.#lanes.get(id);
    if (known !== undefined) return known;
    const lane: Lane = { id, ready: undefined, making: undefined };
    // In no cache, what it makes serves its waiters only.
    if (!this.#closed) this.#lanes.set(id, lane);
    return lane;
  }
}

/** One bucket key with what it has been used for. Objects are counted before the key is there, so that the bounds hold. */
class BucketKey {
  readonly leased = new LeasedSecret();
  madeAtMs = 0;
  #wrapped: WrappedKey | undefined;
  #objects = 0;
  #bytes = 0;

  /** Counts one object more, unless that would be too much. */
  reserve(bytes: number, limits: BucketKeyLimits): boolean {
    const first = this.#objects === 0;
    if (!first && (this.#objects >= limits.maxObjects || this.#bytes + bytes > limits.maxBytes)) return false;
    this.#objects += 1;
    this.#bytes += bytes;
    return true;
  }

  hasRoom({ maxObjects, maxBytes }: BucketKeyLimits): boolean {
    return this.#objects < maxObjects && this.#bytes < maxBytes;
  }

  complete(key: SecretBytes, wrapped: WrappedKey, madeAtMs: number): void {
    this.leased.fill(key);
    this.#wrapped = wrapped;
    this.madeAtMs = madeAtMs;
  }

  /** A key made after the description was asked for had the current version then, whatever the description says. */
  isOfCurrentVersion({ versions, askedAtMs }: DatedDescription): boolean {
    return this.#wrapped?.version === versions[0] || this.madeAtMs >= askedAtMs;
  }

  use<T>(use: (key: SecretBytes, wrapped: WrappedKey) => T): T {
    if (this.#wrapped === undefined) throw new Error('bucket key used before it was made');
    return use(this.leased.secret, this.#wrapped);
  }
}
