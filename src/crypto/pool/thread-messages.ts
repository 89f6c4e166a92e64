import type { JobResult, SegmentJob } from './segment-job.ts';

/** Jobs that a thread has at a time: one it works on, and the next, so that it need not wait for it. */
export const slotsPerThread = 2;

/** What a thread is started with: per slot a number that is not 0 once its job is cancelled. */
export interface ThreadData {
  readonly cancelled: Int32Array;
}

/** A job for a thread; all memory of it is transferred. */
export interface JobMessage {
  readonly slot: number;
  readonly job: SegmentJob;
  /** Memory for the outputs, by length; where none fits, the thread takes new. */
  readonly memory: readonly ArrayBuffer[];
}

/** A thread's answer to a job; all memory of it is transferred. */
export interface ResultMessage {
  readonly slot: number;
  readonly result: JobResult;
  /** Memory that was not needed. */
  readonly memory: readonly ArrayBuffer[];
  readonly busyMs: number;
}

/** What a thread says once, when it can take jobs. */
export const threadReady = 'ready';

/** Everything a thread says. */
export type ThreadMessage = typeof threadReady | ResultMessage;
