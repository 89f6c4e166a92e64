import { availableParallelism, cpus } from 'node:os';

import { isBun } from '../../base/runtime.ts';
import type { PoolGate } from './segment-pool.ts';

/** How long one measurement lasts; cores count their time in steps of 10 ms. */
const windowMs = 200;
/** The event loop has little left: with less to do, threads make nothing faster and cost more. */
const leastDemand = 0.7;
/** Cores that other processes leave: the event loop's own, and most of another. */
const leastSpareCores = 1.6;

/** Times since some moment, in milliseconds. */
export interface LoadTimes {
  readonly nowMs: number;
  /** The event loop at work. */
  readonly loopMs: number;
  /** This process, all its threads. */
  readonly processMs: number;
  /** The whole machine, its cores together. */
  readonly machineMs: number;
}

/**
 * Opens while the event loop has about as much to do as it can, the work that threads took off it included, and other
 * processes leave a core idle.
 */
export class LoadGate implements PoolGate {
  readonly #cores: number;
  readonly #read: () => LoadTimes;
  readonly #now: () => number;
  #last: LoadTimes | undefined;
  #workedMs = 0;
  #isOpen = false;

  /** All but `cores` for tests. */
  constructor(cores = availableParallelism(), read = readLoad, now = (): number => performance.now()) {
    this.#cores = cores;
    this.#read = read;
    this.#now = now;
  }

  allows(): boolean {
    if (this.#last === undefined || this.#now() - this.#last.nowMs >= windowMs) this.#measure();
    return this.#isOpen;
  }

  worked(busyMs: number): void {
    this.#workedMs += busyMs;
  }

  #measure(): void {
    const times = this.#read();
    const last = this.#last;
    if (last !== undefined) {
      const passedMs = Math.max(1, times.nowMs - last.nowMs);
      const demand = (times.loopMs - last.loopMs + this.#workedMs) / passedMs;
      const othersMs = times.machineMs - last.machineMs - (times.processMs - last.processMs);
      const spareCores = this.#cores - Math.max(0, othersMs) / passedMs;
      this.#isOpen = demand >= leastDemand && spareCores >= leastSpareCores;
    }
    this.#last = times;
    this.#workedMs = 0;
  }
}

function readLoad(): LoadTimes {
  const { user, system } = process.cpuUsage();
  let machineMs = 0;
  for (const { times } of cpus()) machineMs += times.user + times.nice + times.sys + times.irq;
  return {
    nowMs: performance.now(),
    // Bun does not tell, so that no thread is asked there.
    loopMs: isBun ? 0 : performance.eventLoopUtilization().active,
    processMs: (user + system) / 1000,
    machineMs,
  };
}
