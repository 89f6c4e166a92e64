import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Clock ticks per second in /proc, 100 on every common Linux. */
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU time in seconds. */
export interface CpuTime {
  readonly total: number;
  /** The part of it that was spent in the kernel. */
  readonly kernel: number;
}

/** What all threads of a process, and of the processes it started that still run, were charged so far. */
export function cpuTime(pid: number): CpuTime {
  const each = processTree(pid).map(ownCpuTime);
  return { total: sum(each.map(({ total }) => total)), kernel: sum(each.map(({ kernel }) => kernel)) };
}

/** Seconds of CPU, as in `cpuTime`. */
export function cpuSeconds(pid: number): number {
  return cpuTime(pid).total;
}

function ownCpuTime(pid: number): CpuTime {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The command's name, in parentheses, may contain blanks; utime and stime are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kernel = Number(fields[12]) / ticksPerSecond;
  return { total: Number(fields[11]) / ticksPerSecond + kernel, kernel };
}

/** Highest resident memory in bytes since the process started, or since `resetPeakMemory`; with the processes it started. */
export function peakMemoryBytes(pid: number): number {
  return sum(processTree(pid).map((one) => memoryBytes(one, 'VmHWM')));
}

/** What the process, and those that it started, read so far, from sockets and files alike (proc(5), io: rchar). */
export function readBytes(pid: number): number {
  return sum(processTree(pid).map(ownReadBytes));
}

function ownReadBytes(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);
}

/** Resident memory in bytes now, with the processes it started. */
export function residentMemoryBytes(pid: number): number {
  return sum(processTree(pid).map((one) => memoryBytes(one, 'VmRSS')));
}

function memoryBytes(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Starts the peak anew at what is resident now (proc(5), clear_refs). */
export function resetPeakMemory(pid: number): void {
  for (const one of processTree(pid)) writeFileSync(`/proc/${one}/clear_refs`, '5');
}

function processTree(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) => childrenOf(pid, thread));
  return [pid, ...children.flatMap(processTree)];
}

function childrenOf(pid: number, thread: string): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    // The thread has ended meanwhile.
    return [];
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
