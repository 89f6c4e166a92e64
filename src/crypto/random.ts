import { randomFillSync } from 'node:crypto';

import { offHeap } from './off-heap.ts';

/** Source of random bytes. Production code uses `systemRandom`; only tests inject another one. */
export type RandomSource = (length: number) => Uint8Array;

const poolBytes = 4096;
/** Longer draws would use the pool up at once, and cost little more than the pool does. */
const maxPooledBytes = 256;

/**
 * Random bytes that were drawn and not given out yet. They are as secret as the state of OpenSSL's generator, which is in the
 * memory of this process too and tells its next bytes just as well. Memory of its own, which no small Buffer shares.
 */
const pool = new Uint8Array(poolBytes);
let given = poolBytes;

/**
 * The system's generator (node:crypto). Small draws come out of a pool, as a call to it costs more than a small cipher; what
 * the pool gives out is zeroed in it.
 */
export const systemRandom: RandomSource = (length) => {
  if (length > maxPooledBytes) return randomFillSync(offHeap(length));
  if (given + length > poolBytes) {
    randomFillSync(pool);
    given = 0;
  }
  const drawn = offHeap(length);
  drawn.set(pool.subarray(given, given + length));
  pool.fill(0, given, given + length);
  given += length;
  return drawn;
};
