import { systemClock, type Clock } from '../base/clock.ts';
import type { Health } from '../base/health.ts';
import { AeadError, aeadOverheadBytes, openAead, sealAead } from '../crypto/aead.ts';
import { systemRandom, type RandomSource } from '../crypto/random.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { BucketKeys } from './bucket-keys.ts';
import { Kek } from './kek.ts';
import { noKeyEvents, type KeyEvents } from './key-events.ts';
import { KeyError, type EncryptionContext, type KeyProvider } from './key-provider.ts';
import { OpenedKeys } from './opened-keys.ts';
import { quoted } from './quoted.ts';
import type { RecoveryPublicKey } from './recovery-key.ts';

const dekBytes = 32;
const wrappedDekBytes = dekBytes + aeadOverheadBytes;
/** Bucket keys held for reading, and buckets held for writing. */
const maxCachedKeys = 10_000;
/** How long at most a key stays in memory after it could serve for the last time. */
const sweepIntervalMs = 60_000;

/** A wrapped data key as it stands in an envelope: with the KEK it is all that an object needs. */
export interface WrappedDataKey {
  readonly kekName: string;
  readonly kekVersion: string;
  /** The bucket key, wrapped by the KEK: at most 1 024 bytes. */
  readonly wrappedBucketKey: Uint8Array;
  /** The data key under the bucket key: 60 bytes, `iv(12) | ciphertext(32) | tag(16)`. */
  readonly wrappedDek: Uint8Array;
  /** The bucket key, sealed for the recovery key: 88 bytes, where one is configured. */
  readonly recovery?: Uint8Array;
}

/** Bounds of one bucket key; see `BucketKeys` and `OpenedKeys`. */
export interface DataKeysSettings {
  readonly ttlMs: number;
  readonly maxObjects: number;
  readonly maxBytes: number;
  readonly offlineTtlMs: number;
}

/** `clock` and `random` are for tests; `maxCachedKeys` is 10 000 by default. */
export interface DataKeysOptions {
  readonly clock?: Clock;
  readonly random?: RandomSource;
  readonly metrics?: KeyEvents;
  readonly maxCachedKeys?: number;
  /** For whom each bucket key is sealed a second time. */
  readonly recovery?: RecoveryPublicKey;
}

/** What a data key is wrapped for. */
export interface WrapRequest {
  /** Name of the KEK under `keys:`. */
  readonly keyName: string;
  readonly context: EncryptionContext;
  /** Binds the wrapped key to bucket, object key and commitment. */
  readonly aad: Uint8Array;
  /** Bytes that the data key is going to encrypt; 0 where that is not known yet, as of an upload in parts. */
  readonly bytes: number;
}

/** What a data key was wrapped for; both must be the same as then. */
export interface UnwrapRequest {
  readonly context: EncryptionContext;
  readonly aad: Uint8Array;
}

/**
 * Wraps and unwraps data keys (DEKs): a DEK is sealed under a bucket key, which is wrapped by a KEK and kept for a while, so
 * that most objects cost no call to the key service.
 */
export class DataKeys {
  readonly #keks: ReadonlyMap<string, Kek>;
  readonly #random: RandomSource;
  readonly #events: KeyEvents;
  readonly #bucketKeys: BucketKeys;
  readonly #openedKeys: OpenedKeys;
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor(
    providers: ReadonlyMap<string, KeyProvider>,
    { ttlMs, offlineTtlMs, maxObjects, maxBytes }: DataKeysSettings,
    options: DataKeysOptions = {},
  ) {
    const { clock = systemClock, random = systemRandom, metrics: events = noKeyEvents } = options;
    this.#random = random;
    this.#events = events;
    this.#keks = new Map([...providers].map(([name, provider]) => [name, new Kek(provider, { clock, events })]));
    const times = { ttlMs, offlineTtlMs };
    const shared = { times, clock, events, maxEntries: options.maxCachedKeys ?? maxCachedKeys };
    const openedKeys = new OpenedKeys(shared);
    this.#openedKeys = openedKeys;
    this.#bucketKeys = new BucketKeys({
      ...shared,
      limits: { maxObjects, maxBytes },
      random,
      ...(options.recovery === undefined ? {} : { recovery: options.recovery }),
      onMade: (request, key, madeAtMs) => openedKeys.remember(request, key, madeAtMs),
    });
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs).unref();
  }

  /**
   * Wraps a DEK of 32 bytes under the current bucket key of (KEK, policy, bucket), making one where none may serve. The DEK
   * stays the caller's.
   * @throws KeyError `not_found` for a key that is not configured, else what the key provider throws.
   */
  async wrap(
    dek: SecretBytes,
    { keyName, context, aad, bytes }: WrapRequest,
    signal?: AbortSignal,
  ): Promise<WrappedDataKey> {
    if (dek.bytes.length !== dekBytes) throw new RangeError(`a data key has ${dekBytes} bytes`);
    // What is not a number would pass every comparison with a limit.
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new RangeError('bytes must be a whole number, 0 or more');
    signal?.throwIfAborted();
    const kek = this.#kekOf(keyName);
    return this.#bucketKeys.withKey(
      { kek, context, bytes },
      (key, wrapped) => ({
        kekName: keyName,
        kekVersion: wrapped.version,
        wrappedBucketKey: wrapped.ciphertext,
        wrappedDek: sealAead({ key, plaintext: dek.bytes, aad, random: this.#random }),
        ...(wrapped.recovery === undefined ? {} : { recovery: wrapped.recovery }),
      }),
      signal,
    );
  }

  /**
   * The DEK, 32 bytes, which is the caller's to dispose.
   * @throws KeyError `wrong_key` when the wrapped key, the context or the AAD is not that of the wrapping, `not_found` for a
   * key that is not configured, else what the key provider throws.
   */
  async unwrap(
    { kekName, kekVersion, wrappedBucketKey, wrappedDek }: WrappedDataKey,
    { context, aad }: UnwrapRequest,
    signal?: AbortSignal,
  ): Promise<SecretBytes> {
    signal?.throwIfAborted();
    const kek = this.#kekOf(kekName);
    if (wrappedDek.length !== wrappedDekBytes) throw wrongKey(kekName);
    const wrapped = { version: kekVersion, ciphertext: wrappedBucketKey };
    try {
      const dek = await this.#openedKeys.withKey(
        { kek, wrapped, context },
        (key) => openDek(key, { kekName, wrappedDek, aad }),
        signal,
      );
      this.#events.read({ keyName: kekName, age: await kek.ageOf(kekVersion) });
      return dek;
    } catch (error) {
      if (error instanceof KeyError && error.code === 'outside_window') {
        this.#events.read({ keyName: kekName, age: 'outside' });
      }
      throw error;
    }
  }

  /** Age in milliseconds of the oldest bucket key that new objects are wrapped under, by the name of the KEK; 0 where none is. */
  bucketKeyAges(): ReadonlyMap<string, number> {
    const ages = this.#bucketKeys.ages();
    return new Map(Array.from(this.#keks.keys(), (name) => [name, ages.get(name) ?? 0]));
  }

  /** What every key provider says of itself, by name. */
  async health(signal?: AbortSignal): Promise<ReadonlyMap<string, Health>> {
    const entries = [...this.#keks].map(async ([name, { provider }]): Promise<[string, Health]> => {
      try {
        return [name, await provider.health(signal)];
      } catch (error) {
        return [name, { ok: false, reason: error instanceof Error ? error.message : 'unknown failure' }];
      }
    });
    return new Map(await Promise.all(entries));
  }

  /** Zeroes all cached keys: at once, or when the request that uses one is done. The providers stay open. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#bucketKeys.close();
    this.#openedKeys.close();
  }

  #sweep(): void {
    this.#bucketKeys.sweep();
    this.#openedKeys.sweep();
  }

  #kekOf(name: string): Kek {
    if (this.#closed) throw new KeyError('unavailable', 'the key cache is closed');
    const kek = this.#keks.get(name);
    if (kek !== undefined) return kek;
    throw new KeyError(
      'not_found',
      `no key ${quoted(name)} is configured: add it under \`keys:\` to use what it protects`,
    );
  }
}

function openDek(
  key: SecretBytes,
  { kekName, wrappedDek, aad }: { readonly kekName: string; readonly wrappedDek: Uint8Array; readonly aad: Uint8Array },
): SecretBytes {
  try {
    return new SecretBytes(openAead({ key, sealed: wrappedDek, aad }));
  } catch (error) {
    throw error instanceof AeadError ? wrongKey(kekName, error) : error;
  }
}

function wrongKey(kekName: string, cause?: AeadError): KeyError {
  return new KeyError(
    'wrong_key',
    `the data key under key ${quoted(kekName)} does not open: of another object, or altered`,
    cause === undefined ? {} : { cause },
  );
}
