import { availableParallelism } from 'node:os';

import { LoadGate } from './load-gate.ts';
import { SegmentPool } from './segment-pool.ts';

/** More than two threads are not fed by one event loop: moving bytes costs it about as much as the cipher. */
const mostAutoThreads = 2;
/** Of a cipher on one core. Where it is faster, handing over costs about what it saves (docs/adr/0022-crypto-threads.md). */
const fastBytesPerSecond = 1.5e9;

/** What a pool is opened for. */
export interface PoolUse {
  /** Of the cipher in use, on one core. */
  readonly bytesPerSecond: number;
  readonly onThreadFailed: (error: Error) => void;
}

/**
 * The pool of a process. `auto`: where the cipher is slow a thread for each core but one, two at most, used while `LoadGate`
 * is open, and else none; a number: so many threads, used for every large body.
 */
export function openSegmentPool(
  threads: 'auto' | number,
  { bytesPerSecond, onThreadFailed }: PoolUse,
  cores = availableParallelism(),
): SegmentPool {
  if (threads !== 'auto') {
    return new SegmentPool({ threads, gate: { allows: () => true, worked: () => {} }, onThreadFailed });
  }
  const wanted = bytesPerSecond > fastBytesPerSecond ? 0 : Math.min(mostAutoThreads, cores - 1);
  return new SegmentPool({ threads: wanted, gate: new LoadGate(cores), onThreadFailed });
}
