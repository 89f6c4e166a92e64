import { LRUCache } from 'lru-cache';

import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { RandomSource } from '../crypto/random.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import { cacheLife, type CacheTimes } from './cache-life.ts';
import type { DatedDescription } from './description-cache.ts';
import { encodeContext } from './encryption-context.ts';
import { isRefusal, type Kek } from './kek.ts';
import { isUnavailable } from './key-errors.ts';
import type { KeyEvents } from './key-events.ts';
import { KeyError, type EncryptionContext, type WrappedKey } from './key-provider.ts';
import { LeasedSecret } from './leased-secret.ts';
import type { KeyCacheOptions, OpenRequest } from './opened-keys.ts';
import type { RecoveryPublicKey } from './recovery-key.ts';

/**
 * Data keys that one bucket key may wrap, whatever the configuration says. Each takes a random 96-bit nonce of AES-GCM, of
 * which SP 800-38D (section 8.3) allows 2^32 under one key; half of that keeps the odds of using one twice below 2^-34.
 */
const maxWrapsPerBucketKey = 2 ** 31;

/**
 * How much one bucket key wraps at most; an object larger than `maxBytes` gets a bucket key of its own. `maxObjects` is at
 * most 2^31.
 */
export interface BucketKeyLimits {
  readonly maxObjects: number;
  readonly maxBytes: number;
}

/** Both wrapped forms of a bucket key. */
export interface WrappedBucketKey extends WrappedKey {
  /** Sealed for the recovery key, where there is one. */
  readonly recovery?: Uint8Array;
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
  readonly recovery?: RecoveryPublicKey;
  readonly onMade: (request: OpenRequest, key: SecretBytes, madeAtMs: number) => void;
}

/** The bucket keys of one KEK, policy and bucket: the one in use, and the one that is being wrapped by the KEK. */
interface Lane {
  readonly id: string;
  /** Name of the KEK. */
  readonly keyName: string;
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
  readonly #recovery: RecoveryPublicKey | undefined;
  readonly #events: KeyEvents;
  readonly #onMade: BucketKeysOptions['onMade'];
  readonly #flights = new SingleFlight<BucketKey, void>();
  readonly #lanes: LRUCache<string, Lane>;
  #begun = 0;
  #closed = false;

  /** @throws KeyError `misconfigured` for limits that bound nothing, or not enough. */
  constructor(options: BucketKeysOptions) {
    checkLimits(options.limits);
    this.#times = options.times;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#recovery = options.recovery;
    this.#events = options.events;
    this.#onMade = options.onMade;
    this.#lanes = new LRUCache({ max: options.maxEntries, dispose: dropReady });
  }

  /**
   * Calls `use` with a bucket key, which it must not keep, and its wrapped form.
   * @throws KeyError what the provider throws.
   */
  async withKey<T>(
    request: BucketKeyRequest,
    use: (key: SecretBytes, wrapped: WrappedBucketKey) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    const description = await this.#describe(request, signal);
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

  /** Age in milliseconds of the oldest bucket key in use, by the name of the KEK; missing where there is none. */
  ages(): ReadonlyMap<string, number> {
    const ages = new Map<string, number>();
    for (const { keyName, ready } of this.#lanes.values()) {
      if (ready === undefined) continue;
      const ageMs = Math.max(0, this.#clock.now() - ready.madeAtMs);
      ages.set(keyName, Math.max(ageMs, ages.get(keyName) ?? 0));
    }
    return ages;
  }

  /** Zeroes the keys that can serve no more, also in buckets that nobody writes to. To be called every now and then. */
  sweep(): void {
    const nowMs = this.#clock.now();
    const lanes = [...this.#lanes.values()];
    for (const lane of lanes) {
      if (lane.ready !== undefined && cacheLife(lane.ready.madeAtMs, nowMs, this.#times) === 'over') dropReady(lane);
      if (lane.ready === undefined && lane.making === undefined) this.#lanes.delete(lane.id);
    }
  }

  /** Zeroes every key that no request is using, and the others when it is done with them. */
  close(): void {
    this.#closed = true;
    this.#lanes.clear();
  }

  async #describe(request: BucketKeyRequest, signal: AbortSignal | undefined): Promise<DatedDescription | undefined> {
    try {
      return await request.kek.description(signal);
    } catch (error) {
      if (isRefusal(error)) dropReady(this.#laneOf(request));
      throw error;
    }
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
    this.#begun += 1;
    const order = this.#begun;
    let key: SecretBytes | undefined;
    try {
      const made = await kek.makeKey(context, this.#random, signal);
      const { wrapped } = made;
      key = made.key;
      this.#onMade({ kek, wrapped, context }, key, madeAtMs);
      const recovery = this.#recovery?.seal(key, context);
      making.complete(key, { ...wrapped, ...(recovery && { recovery }) }, { madeAtMs, order });
      this.#install(lane, making);
    } catch (error) {
      key?.dispose();
      // Refused, not merely unanswered: the key in use must not tide over the next outage.
      if (isRefusal(error)) dropReady(lane);
      throw error;
    } finally {
      if (lane.making === making) lane.making = undefined;
    }
  }

  /** A key that is used up already, or that comes after a newer one or after the lane has gone, serves its waiters only. */
  #install(lane: Lane, made: BucketKey): void {
    const older = lane.ready !== undefined && lane.ready.order > made.order;
    if (older || !made.hasRoom(this.#limits) || this.#lanes.peek(lane.id) !== lane) {
      made.leased.retire();
      return;
    }
    if (lane.ready !== made) dropReady(lane);
    lane.ready = made;
  }

  #laneOf({ kek, context }: BucketKeyRequest): Lane {
    const id = `${kek.name}\0${Buffer.from(encodeContext(context)).toString('latin1')}`;
    const known = this.#lanes.get(id);
    if (known !== undefined) return known;
    const lane: Lane = { id, keyName: kek.name, ready: undefined, making: undefined };
    // In no cache, what it makes serves its waiters only.
    if (!this.#closed) this.#lanes.set(id, lane);
    return lane;
  }
}

/** The key in use serves no more: zeroed as soon as no request uses it. */
function dropReady(lane: Lane): void {
  lane.ready?.leased.retire();
  lane.ready = undefined;
}

function checkLimits({ maxObjects, maxBytes }: BucketKeyLimits): void {
  const counts = Number.isSafeInteger(maxObjects) && maxObjects >= 1 && maxObjects <= maxWrapsPerBucketKey;
  if (counts && Number.isSafeInteger(maxBytes) && maxBytes >= 1) return;
  throw new KeyError(
    'misconfigured',
    `dataKeyCache.maxObjects must be 1 to ${maxWrapsPerBucketKey}, and dataKeyCache.maxBytes 1 or more`,
  );
}

/** One bucket key with what it has been used for. Objects are counted before the key is there, so that the bounds hold. */
class BucketKey {
  readonly leased = new LeasedSecret();
  madeAtMs = 0;
  /** Counts the calls for bucket keys: the clock may be put back. */
  order = 0;
  #wrapped: WrappedBucketKey | undefined;
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

  complete(
    key: SecretBytes,
    wrapped: WrappedBucketKey,
    { madeAtMs, order }: { readonly madeAtMs: number; readonly order: number },
  ): void {
    this.leased.put(key);
    this.#wrapped = wrapped;
    this.madeAtMs = madeAtMs;
    this.order = order;
  }

  /** A key made after the description was asked for had the current version then, whatever the description says. */
  isOfCurrentVersion({ versions, askedAtMs }: DatedDescription): boolean {
    return this.#wrapped?.version === versions[0] || this.madeAtMs >= askedAtMs;
  }

  use<T>(use: (key: SecretBytes, wrapped: WrappedBucketKey) => T): T {
    if (this.#wrapped === undefined) throw new Error('bucket key used before it was made');
    return use(this.leased.secret, this.#wrapped);
  }
}
