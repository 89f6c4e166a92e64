import { setImmediate as turn } from 'node:timers/promises';

import { ReaderClosedError } from '../../base/byte-reader.ts';
import { release } from '../../base/chunk-memory.ts';
import { jobFailure, type JobResult, type SegmentJob } from './segment-job.ts';
import type { PoolLane, SegmentPool } from './segment-pool.ts';

/** Neighbouring segments that were done together. */
export interface SegmentBatch {
  readonly outputs: readonly Uint8Array[];
  readonly segments: number;
}

/** Where the segments of a stream come from. Calls do not overlap. */
export interface SegmentSource {
  /** About how much is still to come. */
  readonly leftBytes: number;
  readonly segmentSizeBytes: number;
  /** Reads the next segment, or some that are at hand, and does them here; undefined at the end. */
  next(): Promise<SegmentBatch | undefined>;
  /** As `next`, of what is at hand; undefined where it has to be waited for, or at the end. */
  ready(): SegmentBatch | undefined;
  /** Reads the next segments, at least one, as a job; undefined at the end. */
  job(maxSegments: number): Promise<SegmentJob | undefined>;
}

/**
 * The results of a stream's segments in their order, whoever does them: the event loop one after the other, or, for as
 * long as it helps, the threads of a pool and the event loop together, beginning no job once as much as `pool.laneDepth` jobs is read ahead.
 */
export class SegmentFlow {
  readonly #source: SegmentSource;
  readonly #pool: SegmentPool | undefined;
  readonly #jobSegments: number;
  #ready: readonly Uint8Array[] = [];
  #used = 0;
  #lane: PoolLane | undefined;
  /** Under way or done, in order. */
  #jobs: { readonly result: Promise<JobResult>; readonly segments: number }[] = [];
  /** In all of them. */
  #segments = 0;
  #isReading = false;
  /** Told when there is a job more, or will be none. */
  #onRead: (() => void) | undefined;
  #failure: Error | undefined;
  #isEnded = false;
  #isClosed = false;

  constructor(source: SegmentSource, pool?: SegmentPool) {
    this.#source = source;
    this.#pool = pool;
    this.#jobSegments = Math.max(1, Math.floor((pool?.jobBytes ?? 0) / source.segmentSizeBytes));
  }

  /**
   * The next piece of the results; undefined at the end.
   * @throws FloeError `segment_invalid` after all segments before; PoolError; what the source throws.
   */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#used === this.#ready.length) {
      const outputs = await this.#nextOutputs();
      if (outputs === undefined) return undefined;
      this.#ready = outputs;
      this.#used = 0;
    }
    const piece = this.#ready[this.#used];
    this.#used += 1;
    return piece;
  }

  /** As that of a ByteIterator. */
  ready(): Uint8Array | undefined {
    if (this.#used === this.#ready.length && !this.#doReady()) return undefined;
    const piece = this.#ready[this.#used];
    this.#used += 1;
    return piece;
  }

  /** Lets go of everything under way at once; what is under way is forgotten. */
  close(): void {
    this.#isClosed = true;
    this.#lane?.close();
    for (const { result } of this.#jobs) void result.then(forget, ignore);
    this.#jobs = [];
    this.#onRead?.();
  }

  async #nextOutputs(): Promise<readonly Uint8Array[] | undefined> {
    while (!this.#isOver()) {
      this.#lane ??= this.#pool?.lane(this.#source.leftBytes);
      if (this.#lane === undefined) return this.#nextHere();
      const result = await this.#nextOfLane(this.#lane);
      // Not asked for a lane again before the event loop has done one: a gate may change its mind at any time.
      if (result === undefined) return this.#nextHere();
      if (result.isInvalid) this.#failure = jobFailure();
      if (result.outputs.length > 0) return result.outputs;
    }
    throw this.#failure ?? new ReaderClosedError();
  }

  async #nextHere(): Promise<readonly Uint8Array[] | undefined> {
    if (this.#isOver()) throw this.#failure ?? new ReaderClosedError();
    if (this.#isEnded) return undefined;
    const batch = await this.#source.next();
    if (batch === undefined) this.#isEnded = true;
    else this.#pool?.countInline(batch.segments);
    return batch?.outputs;
  }

  /** Does here what is at hand, unless threads are to. @returns Whether there is any. */
  #doReady(): boolean {
    if (this.#isOver() || this.#isEnded) return false;
    this.#lane ??= this.#pool?.lane(this.#source.leftBytes);
    if (this.#lane !== undefined) return false;
    try {
      const batch = this.#source.ready();
      if (batch === undefined) return false;
      this.#pool?.countInline(batch.segments);
      this.#ready = batch.outputs;
      this.#used = 0;
      return this.#ready.length > 0;
    } catch (error) {
      // For `next` to throw.
      this.#failure = error instanceof Error ? error : new Error('a segment failed', { cause: error });
      return false;
    }
  }

  /** One that was left has not ended. */
  #isOver(): boolean {
    return this.#isClosed || this.#failure !== undefined;
  }

  /** The next job's result; undefined once the lane is left: nothing is under way then. */
  async #nextOfLane(lane: PoolLane): Promise<JobResult | undefined> {
    void this.#readAhead(lane);
    while (this.#jobs.length === 0 && this.#isReading) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onRead = resolve;
      await promise;
    }
    const [job] = this.#jobs;
    if (job === undefined) {
      lane.close();
      this.#lane = undefined;
      return undefined;
    }
    const result = await job.result;
    this.#jobs.shift();
    this.#segments -= job.segments;
    return result;
  }

  async #readAhead(lane: PoolLane): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#mayRead(lane)) await (lane.isFree ? this.#readJob(lane) : this.#helpOut());
    } catch (error) {
      this.#isEnded = true;
      this.#start(Promise.reject(error), 0);
    } finally {
      this.#isReading = false;
      this.#onRead?.();
    }
  }

  async #readJob(lane: PoolLane): Promise<void> {
    const job = await this.#source.job(this.#jobSegments);
    if (this.#isClosed) return;
    if (job === undefined) this.#isEnded = true;
    else this.#start(lane.run(job) ?? lane.runHere(job), job.lengthsBytes.length);
  }

  /** The event loop does one segment itself, and then lets the threads' answers in. */
  async #helpOut(): Promise<void> {
    const batch = await this.#source.next();
    if (this.#isClosed) return;
    if (batch === undefined) {
      this.#isEnded = true;
      return;
    }
    this.#pool?.countInline(batch.segments);
    this.#start(Promise.resolve({ outputs: batch.outputs, isInvalid: false }), batch.segments);
    await turn();
  }

  #mayRead(lane: PoolLane): boolean {
    const most = (this.#pool?.laneDepth ?? 0) * this.#jobSegments;
    return !this.#isClosed && !this.#isEnded && this.#segments < most && lane.isWanted;
  }

  #start(result: Promise<JobResult>, segments: number): void {
    // Where it fails it is noticed in its turn.
    result.catch(ignore);
    this.#jobs.push({ result, segments });
    this.#segments += segments;
    this.#onRead?.();
  }
}

function forget({ outputs }: JobResult): void {
  for (const output of outputs) release(output);
}

function ignore(): void {}
