/**
 * Threads that encrypt and decrypt runs of segments beside the event loop, for large streams while cores are idle
 * (docs/adr/0022-crypto-threads.md). There is no queue: what finds no free slot is done on the event loop.
 */
import { handOver } from '../../base/chunk-memory.ts';
import { MemoryShelf } from './memory-shelf.ts';
import { PoolThread } from './pool-thread.ts';
import { outputBytes, runJob, type JobResult, type SegmentJob } from './segment-job.ts';
import { slotsPerThread, type ResultMessage } from './thread-messages.ts';

/** Below this, a stream is done before a thread would help it. */
const defaultLeastStreamBytes = 8 * 1024 * 1024;
/** Enough that handing it over costs little; what goes in and what comes out fit into a core's cache. */
const defaultJobBytes = 512 * 1024;

/** Memory that waits for the next outputs, for each thread: about what its streams have under way. */
const shelfBytesPerThread = 4 * 1024 * 1024;
/** Wait before a thread that failed is started again: doubles with each failure in a row. */
const firstRestartDelayMs = 100;
const lastRestartDelayMs = 60_000;

/** Says whether threads would help now; is told how long they worked. */
export interface PoolGate {
  allows(): boolean;
  worked(busyMs: number): void;
}

/** What comes after `onThreadFailed` is for tests. */
export interface SegmentPoolOptions {
  /** 0: nothing is ever done on threads. */
  readonly threads: number;
  readonly gate: PoolGate;
  readonly onThreadFailed?: (error: Error) => void;
  /** Streams with less to come are left to the event loop. */
  readonly leastStreamBytes?: number;
  /** What goes to a thread at a time. */
  readonly jobBytes?: number;
  readonly script?: URL;
  readonly now?: () => number;
}

/** A pool as it is at a moment; the last three only rise. */
export interface PoolStats {
  readonly threads: number;
  readonly busySlots: number;
  readonly lanes: number;
  readonly poolSegments: number;
  readonly inlineSegments: number;
  readonly threadFailures: number;
}

/** A free slot of a thread. */
interface Place {
  readonly thread: PoolThread;
  readonly slot: number;
}

/** All threads of a process. They are started when they are first wanted, and again after a failure. */
export class SegmentPool implements AsyncDisposable {
  readonly #options: SegmentPoolOptions;
  readonly #now: () => number;
  readonly #shelf: MemoryShelf;
  readonly #lanes = new Set<PoolLane>();
  #threads: PoolThread[] = [];
  #failuresInRow = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #poolSegments = 0;
  #inlineSegments = 0;
  #threadFailures = 0;

  constructor(options: SegmentPoolOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#shelf = new MemoryShelf(options.threads * shelfBytesPerThread);
  }

  /** What goes to a thread at a time. */
  get jobBytes(): number {
    return this.#options.jobBytes ?? defaultJobBytes;
  }

  /** Runs of segments that one stream may have under way: those of all slots, and as many as the event loop helps with. */
  get laneDepth(): number {
    return this.#options.threads * slotsPerThread + 2;
  }

  get stats(): PoolStats {
    return {
      threads: this.#threads.length,
      busySlots: this.#threads.reduce((sum, { busySlots }) => sum + busySlots, 0),
      lanes: this.#lanes.size,
      poolSegments: this.#poolSegments,
      inlineSegments: this.#inlineSegments,
      threadFailures: this.#threadFailures,
    };
  }

  /** The way to the threads for a stream with so much to come, if they would help it now; no more of them than threads. */
  lane(leftBytes: number): PoolLane | undefined {
    if (leftBytes <= 0 || leftBytes < (this.#options.leastStreamBytes ?? defaultLeastStreamBytes)) return undefined;
    if (this.#lanes.size >= this.#options.threads || !this.isWanted()) return undefined;
    const lane = new PoolLane({
      place: () => this.#freePlace(),
      memory: (lengthBytes) => this.#shelf.take(lengthBytes),
      finish: (answer) => this.#finish(answer),
      finishHere: (result) => this.#finishHere(result),
      isWanted: () => this.isWanted(),
      onClose: () => this.#lanes.delete(lane),
    });
    this.#lanes.add(lane);
    return lane;
  }

  /** Whether a thread is ready and would help; starts one where that is all that is missing. */
  isWanted(): boolean {
    if (this.#isClosed || this.#options.threads === 0 || !this.#options.gate.allows()) return false;
    this.#startMissing();
    return this.#threads.some(({ isReady }) => isReady);
  }

  /** Counts segments that the event loop did. */
  countInline(segments: number): void {
    this.#inlineSegments += segments;
  }

  /** Ends the threads; whatever they had fails with PoolError `closed`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = this.#threads;
    this.#threads = [];
    this.#shelf.clear();
    await Promise.all(threads.map((thread) => thread.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #freePlace(): Place | undefined {
    let best: Place | undefined;
    for (const thread of this.#threads) {
      const slot = thread.freeSlot();
      if (slot !== undefined && (best === undefined || thread.busySlots < best.thread.busySlots)) {
        best = { thread, slot };
      }
    }
    return best;
  }

  #startMissing(): void {
    while (this.#threads.length < this.#options.threads && this.#now() >= this.#notBeforeMs) {
      const script = this.#options.script ?? new URL('segment-thread.ts', import.meta.url);
      const thread: PoolThread = new PoolThread(script, {
        onAnswer: ({ busyMs }) => {
          this.#failuresInRow = 0;
          this.#options.gate.worked(busyMs);
        },
        onFailed: (error) => this.#threadFailed(thread, error),
      });
      this.#threads.push(thread);
    }
  }

  #threadFailed(thread: PoolThread, error: Error): void {
    this.#threads = this.#threads.filter((other) => other !== thread);
    this.#threadFailures += 1;
    const delayMs = Math.min(lastRestartDelayMs, firstRestartDelayMs * 2 ** this.#failuresInRow);
    this.#failuresInRow += 1;
    this.#notBeforeMs = this.#now() + delayMs;
    this.#options.onThreadFailed?.(error);
  }

  /** What a job came to, its outputs on their way round: once released, they are memory for others. */
  #finish({ result, memory }: ResultMessage): JobResult {
    for (const buffer of memory) this.#give(buffer);
    this.#poolSegments += result.outputs.length;
    return this.#passOn(result);
  }

  #finishHere(result: JobResult): JobResult {
    this.#inlineSegments += result.outputs.length;
    return this.#passOn(result);
  }

  #passOn(result: JobResult): JobResult {
    for (const output of result.outputs) handOver(output, (buffer) => this.#give(buffer));
    return result;
  }

  #give(buffer: ArrayBuffer): void {
    if (this.#isClosed) buffer.transfer(0);
    else this.#shelf.give(buffer);
  }
}

/** What a lane needs of its pool. */
interface LanePool {
  readonly place: () => Place | undefined;
  readonly memory: (lengthBytes: number) => ArrayBuffer | undefined;
  readonly finish: (answer: ResultMessage) => JobResult;
  readonly finishHere: (result: JobResult) => JobResult;
  readonly isWanted: () => boolean;
  readonly onClose: () => void;
}

/** The jobs of one stream. */
export class PoolLane {
  readonly #pool: LanePool;
  readonly #running = new Set<Place>();
  #isClosed = false;

  constructor(pool: LanePool) {
    this.#pool = pool;
  }

  /** Whether the threads still help. */
  get isWanted(): boolean {
    return !this.#isClosed && this.#pool.isWanted();
  }

  /** Whether a thread has a free slot. */
  get isFree(): boolean {
    return !this.#isClosed && this.#pool.place() !== undefined;
  }

  /**
   * Does a job on a thread; undefined where no slot is free, and the job is untouched. Its pieces are given away.
   * @throws PoolError (rejects) where the thread fails; of other streams only those that it worked for notice.
   */
  run(job: SegmentJob): Promise<JobResult> | undefined {
    const place = this.#isClosed ? undefined : this.#pool.place();
    if (place === undefined) return undefined;
    const lengths = job.lengthsBytes.map((lengthBytes) => outputBytes(job.kind, lengthBytes));
    const memory = lengths.flatMap((lengthBytes) => this.#pool.memory(lengthBytes) ?? []);
    this.#running.add(place);
    return this.#await(place, place.thread.run(place.slot, job, memory));
  }

  /** Does a job on the event loop: where no slot is free, that is one core more. */
  async runHere(job: SegmentJob): Promise<JobResult> {
    const memory = (lengthBytes: number): ArrayBuffer => this.#pool.memory(lengthBytes) ?? new ArrayBuffer(lengthBytes);
    return this.#pool.finishHere(runJob(job, { memory, isCancelled: () => false }));
  }

  /** Cancels what is under way: each slot is free as soon as its thread has done the segment it is at. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { thread, slot } of this.#running) thread.cancel(slot);
    this.#pool.onClose();
  }

  async #await(place: Place, answering: Promise<ResultMessage>): Promise<JobResult> {
    try {
      return this.#pool.finish(await answering);
    } finally {
      this.#running.delete(place);
    }
  }
}
