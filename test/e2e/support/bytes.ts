import { createCipheriv, createHash, randomBytes } from 'node:crypto';

/** Bytes that look random and are the same for the same seed. */
export function seededBytes(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A seed for the random tests of a run; print it with each failure. `E2E_SEED` repeats a run. */
export const runSeed = process.env['E2E_SEED'] ?? randomBytes(4).toString('hex');

/** Random numbers that follow from a seed (xorshift32, Marsaglia 2003). */
export class SeededRandom {
  #state: number;

  constructor(seed: string) {
    this.#state = createHash('sha256').update(seed).digest().readUInt32BE(0) | 1;
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }
}
