import { LRUCache } from 'lru-cache';

import { SingleFlight } from '../base/single-flight.ts';
import { checkCanary } from '../keys/canary.ts';
import { KeyError, type KeyProvider } from '../keys/key-provider.ts';
import { canaryStore } from './canary-store.ts';
import type { Backend } from './gateway.ts';

/** Buckets whose check is remembered; one that is forgotten is checked again. */
const maxRemembered = 10_000;

/** A key as it is used, and without its dual-read window. */
export interface GuardedKey {
  readonly provider: KeyProvider;
  readonly unrestricted: KeyProvider;
}

/** The keys by name, and where canaries are kept. */
export interface CanaryGuardOptions {
  readonly keys: ReadonlyMap<string, GuardedKey>;
  /** The reserved prefix; ends in `/`. */
  readonly prefix: string;
  /** A bucket for the canaries of all buckets; else each bucket has its own. */
  readonly bucket?: string;
  /** A key does not fit; told once for each place, until it fits there. Must not reject. */
  readonly onMismatch?: (target: CanaryTarget, error: KeyError) => Promise<void>;
}

/** What is going to be encrypted where. */
export interface CanaryTarget {
  readonly backend: Backend;
  readonly bucket: string;
  /** Name of the key under `keys:`. */
  readonly keyName: string;
}

/**
 * Checks a key against the canary in a bucket before the first object is written there. So no bucket holds data without a
 * canary, whenever it was made and whether or not the backend answered at start, and a wrong key never writes a byte.
 */
export class CanaryGuard {
  readonly #options: CanaryGuardOptions;
  readonly #checked = new LRUCache<string, true>({ max: maxRemembered });
  readonly #mismatched = new LRUCache<string, true>({ max: maxRemembered });
  readonly #flights = new SingleFlight<string, void>();

  constructor(options: CanaryGuardOptions) {
    this.#options = options;
  }

  /**
   * Returns at once where the check has passed before; a failure is not remembered.
   * @throws KeyError `misconfigured` where the key is not the one that the bucket's data is under, and what the provider
   * throws; S3Error of the backend.
   */
  async check(target: CanaryTarget, signal?: AbortSignal): Promise<void> {
    const key = this.#options.keys.get(target.keyName);
    if (key === undefined) return; // Nothing can be wrapped under it.
    const id = this.#idOf(target);
    if (this.#checked.has(id)) return;
    const bucket = this.#options.bucket ?? target.bucket;
    const store = canaryStore({ store: target.backend.store, bucket, prefix: this.#options.prefix });
    try {
      await this.#flights.run(id, (shared) => checkCanary({ ...key, store, signal: shared }), signal);
    } catch (error) {
      await this.#noteMismatch(id, target, error);
      throw error;
    }
    this.#checked.set(id, true);
    this.#mismatched.delete(id);
  }

  /** A bucket is gone, and its canaries with it: one of the same name is checked anew. */
  forget(backend: Backend, bucket: string): void {
    if (this.#options.bucket !== undefined) return;
    for (const keyName of this.#options.keys.keys()) this.#checked.delete(this.#idOf({ backend, bucket, keyName }));
  }

  async #noteMismatch(id: string, target: CanaryTarget, error: unknown): Promise<void> {
    if (!(error instanceof KeyError && error.code === 'misconfigured') || this.#mismatched.has(id)) return;
    this.#mismatched.set(id, true);
    await this.#options.onMismatch?.(target, error);
  }

  #idOf({ backend, bucket, keyName }: CanaryTarget): string {
    return JSON.stringify([backend.name, this.#options.bucket ?? bucket, keyName]);
  }
}
