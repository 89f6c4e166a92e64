import type { SecretBytes } from '../crypto/secret-bytes.ts';

/**
 * A secret that a cache shares with requests: it is zeroed when the cache has retired it and no request holds a lease. It may
 * be empty at first, and be filled while requests that wait for it hold their leases.
 */
export class LeasedSecret {
  #secret: SecretBytes | undefined;
  #leases = 0;
  #retired = false;

  get filled(): boolean {
    return this.#secret !== undefined;
  }

  /** Whether no request holds a lease. */
  get idle(): boolean {
    return this.#leases === 0;
  }

  /** The secret, for use before the next await, or while holding a lease. */
  get secret(): SecretBytes {
    if (this.#secret === undefined) throw new Error('leased secret is empty');
    return this.#secret;
  }

  /** Takes ownership; what it held before is zeroed. */
  put(secret: SecretBytes): void {
    this.#secret?.dispose();
    this.#secret = secret;
    this.#disposeIfUnused();
  }

  lease(): void {
    this.#leases += 1;
  }

  release(): void {
    this.#leases -= 1;
    this.#disposeIfUnused();
  }

  /** The cache has let go of it. */
  retire(): void {
    this.#retired = true;
    this.#disposeIfUnused();
  }

  #disposeIfUnused(): void {
    if (!this.#retired || this.#leases > 0) return;
    this.#secret?.dispose();
    this.#secret = undefined;
  }
}
