import { availableParallelism } from 'node:os';

import { LoadGate } from './load-gate.ts';
import { SegmentPool } from './segment-pool.ts';

/** More than two threads are not fed by one event loop: moving bytes costs it about as much as the cipher. */
const mostAutoThreads = 2;

/**
 * The pool of a process. `auto`: a thread for each core but one, two at most, used by `LoadGate`; a number: so many threads,
 * used for every large body.
 */
export function openSegmentPool(
  threads: 'auto' | number,
  { onThreadFailed }: { readonly onThreadFailed: (error: Error) => void },
): SegmentPool {
  if (threads === 'auto') {
    const most = Math.min(mostAutoThreads, availableParallelism() - 1);
    return new SegmentPool({ threads: most, gate: new LoadGate(), onThreadFailed });
  }
  return new SegmentPool({ threads, gate: { allows: () => true, worked: () => {} }, onThreadFailed });
}
