import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import type { LoadJob, LoadResult } from './load-job.ts';
import { cpuSeconds, peakMemoryBytes, resetPeakMemory } from './process-usage.ts';
import type { Target } from './targets.ts';

/** One kind of load; all targets get the same. */
export interface Load {
  readonly name: string;
  readonly job: Omit<LoadJob, 'host' | 'port' | 'credentials' | 'bucket'>;
}

/** One load on one target, once. */
export interface Sample {
  readonly target: string;
  readonly load: string;
  readonly objectBytes: number;
  readonly round: number;
  /** CPU of the target alone, per 10^9 bytes of objects and per request. */
  readonly cpuSecondsPerGb: number;
  readonly cpuMsPerRequest: number;
  /** CPU of the server behind it. */
  readonly backendCpuMsPerRequest?: number;
  readonly bytesPerSecond: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly peakMemoryBytes: number;
}

/** Runs one load on one target. */
export async function measure(target: Target, { name, job }: Load, round: number): Promise<Sample> {
  const { host, port, credentials, bucket, pid, backendPid } = target;
  const load = await loadProcess({ ...job, host, port, credentials, bucket });
  resetPeakMemory(pid);
  const cpuBefore = cpuSeconds(pid);
  const backendBefore = backendPid === undefined ? 0 : cpuSeconds(backendPid);
  const result = await load.go();
  const cpu = cpuSeconds(pid) - cpuBefore;
  const bytes = job.requests * job.objectBytes;
  return {
    target: target.name,
    load: name,
    objectBytes: job.objectBytes,
    round,
    cpuSecondsPerGb: cpu / (bytes / 1e9),
    cpuMsPerRequest: (cpu * 1000) / job.requests,
    ...(backendPid === undefined
      ? {}
      : { backendCpuMsPerRequest: ((cpuSeconds(backendPid) - backendBefore) * 1000) / job.requests }),
    bytesPerSecond: bytes / (result.elapsedMs / 1000),
    requestsPerSecond: job.requests / (result.elapsedMs / 1000),
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    peakMemoryBytes: peakMemoryBytes(pid),
  };
}

/** Starts the load process, ready to begin: what it prepares is not measured. */
async function loadProcess(job: LoadJob): Promise<{ go(): Promise<LoadResult> }> {
  const child = fork(join(import.meta.dirname, 'load.ts'), { execArgv: [] });
  const ready = once(child, 'message');
  child.send(job);
  await ready;
  return {
    async go() {
      const finished = once(child, 'message');
      child.send('go');
      const [answer]: readonly (LoadResult | { readonly error: string })[] = await finished;
      if (answer === undefined || 'error' in answer) throw new Error(`the load failed: ${answer?.error}`);
      return answer;
    },
  };
}
