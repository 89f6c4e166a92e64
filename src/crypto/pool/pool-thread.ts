import { Worker } from 'node:worker_threads';

import { CodedError } from '../../base/coded-error.ts';
import type { SegmentJob } from './segment-job.ts';
import { buffersOf } from './thread-job.ts';
import {
  slotsPerThread,
  threadReady,
  type JobMessage,
  type ResultMessage,
  type ThreadData,
  type ThreadMessage,
} from './thread-messages.ts';

/** The thread that had a job ended before it answered, or the pool was closed: `thread_failed`, `closed`. */
class PoolError extends CodedError<'thread_failed' | 'closed'> {}

/** A thread's heap: it holds a few views at a time. What they are of is outside of it. */
const maxHeapMb = 64;

/** What `PoolThread` tells its pool. */
export interface ThreadEvents {
  /** A slot is free again. */
  readonly onAnswer: (answer: ResultMessage) => void;
  /** Once; the thread takes no jobs any more. All it had have failed. */
  readonly onFailed: (error: Error) => void;
}

interface PendingJob {
  readonly resolve: (answer: ResultMessage) => void;
  readonly reject: (error: Error) => void;
}

/** One thread with its slots. */
export class PoolThread {
  readonly #worker: Worker;
  readonly #events: ThreadEvents;
  readonly #cancelled = new Int32Array(new SharedArrayBuffer(slotsPerThread * Int32Array.BYTES_PER_ELEMENT));
  readonly #pending: (PendingJob | undefined)[] = Array.from({ length: slotsPerThread }, () => undefined);
  #isReady = false;
  #isEnded = false;

  constructor(script: URL, events: ThreadEvents) {
    this.#events = events;
    const workerData: ThreadData = { cancelled: this.#cancelled };
    // Nothing of the process's flags and environment, in which there are secrets, is needed there.
    this.#worker = new Worker(script, {
      workerData,
      env: {},
      execArgv: [],
      name: 's3eg-crypto',
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    this.#worker.unref();
    this.#worker.on('message', (message: ThreadMessage) => {
      if (message === threadReady) this.#isReady = true;
      else this.#answered(message);
    });
    this.#worker.on('messageerror', (error) => this.#failed(error));
    this.#worker.on('error', (error) => this.#failed(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', () => this.#failed(new Error('the thread ended')));
  }

  get busySlots(): number {
    return this.#pending.filter((pending) => pending !== undefined).length;
  }

  /** Whether it has loaded its code and has not ended. */
  get isReady(): boolean {
    return this.#isReady && !this.#isEnded;
  }

  /** Number of a free slot; none before it is ready. */
  freeSlot(): number | undefined {
    if (!this.isReady) return undefined;
    const slot = this.#pending.indexOf(undefined);
    return slot < 0 ? undefined : slot;
  }

  /** Gives the thread a job in a free slot. @throws PoolError `thread_failed`. */
  run(slot: number, job: SegmentJob, memory: readonly ArrayBuffer[]): Promise<ResultMessage> {
    Atomics.store(this.#cancelled, slot, 0);
    const message: JobMessage = { slot, job, memory };
    this.#worker.postMessage(message, [...buffersOf(job.pieces), ...memory]);
    const { promise, resolve, reject } = Promise.withResolvers<ResultMessage>();
    this.#pending[slot] = { resolve, reject };
    // As long as somebody waits for an answer, the process must not end.
    this.#worker.ref();
    return promise;
  }

  /** The slot's job need not be finished: the thread answers before its next segment. */
  cancel(slot: number): void {
    Atomics.store(this.#cancelled, slot, 1);
  }

  async close(): Promise<void> {
    this.#end(new PoolError('closed', 'the crypto threads were closed'));
    await this.#worker.terminate();
  }

  #answered(answer: ResultMessage): void {
    const pending = this.#pending[answer.slot];
    this.#pending[answer.slot] = undefined;
    if (this.busySlots === 0) this.#worker.unref();
    this.#events.onAnswer(answer);
    pending?.resolve(answer);
  }

  #failed(cause: Error): void {
    if (this.#isEnded) return;
    this.#end(new PoolError('thread_failed', 'a crypto thread failed', { cause }));
    this.#events.onFailed(cause);
    void this.#worker.terminate();
  }

  #end(error: Error): void {
    this.#isEnded = true;
    this.#worker.unref();
    for (const [slot, pending] of this.#pending.entries()) {
      this.#pending[slot] = undefined;
      pending?.reject(error);
    }
  }
}
