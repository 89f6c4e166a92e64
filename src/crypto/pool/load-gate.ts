import { closeSync, openSync, readSync } from 'node:fs';
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
  return {
    nowMs: performance.now(),
    // Bun does not tell, so that no thread is asked there.
    loopMs: isBun ? 0 : performance.eventLoopUtilization().active,
    processMs: (user + system) / 1000,
    machineMs: machineMs(),
  };
}

/** The line of all cores together, which is the first, has ten numbers of at most 20 digits. */
const statBytes = Buffer.alloc(256);
/** Linux counts this file in hundredths of a second, on whatever machine. */
const msPerTick = 10;

/**
 * What all cores did since the start of the machine, in milliseconds. `cpus()` says the same, but on Linux reads several files
 * and makes an object for each core: it is asked only where `statFile` does not tell.
 */
export function machineMs(statFile = '/proc/stat'): number {
  const [name, user, nice, system, , , irq] = firstLine(statFile).split(/ +/);
  const ms = (Number(user) + Number(nice) + Number(system) + Number(irq)) * msPerTick;
  if (name === 'cpu' && Number.isFinite(ms)) return ms;
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

function firstLine(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const lengthBytes = readSync(file, statBytes, 0, statBytes.length, 0);
    return statBytes.toString('latin1', 0, lengthBytes).split('\n', 1)[0] ?? '';
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
