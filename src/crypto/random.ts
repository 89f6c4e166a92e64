import { randomFillSync } from 'node:crypto';

/** Source of random bytes. Production code uses `systemRandom`; only tests inject another one. */
export type RandomSource = (length: number) => Uint8Array;

/** The operating system's generator (node:crypto). */
export const systemRandom: RandomSource = (length) => randomFillSync(new Uint8Array(length));
