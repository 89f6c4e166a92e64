import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import type { LoadJob, LoadResult } from './load-job.ts';
import { cpuSeconds, cpuTime, peakMemoryBytes, resetPeakMemory } from './process-usage.ts';
import type { Sample } from './results.ts';
import type { Target } from './target.ts';

/** One kind of load; all targets get the same. */
export interface Load {
  readonly name: string;
  readonly job: Omit<LoadJob, 'host' | 'port' | 'credentials' | 'bucket'>;
}

/** Runs one load on one target. */
export async function measure(target: Target, { name, job }: Load, round: number): Promise<Sample> {
  const { host, port, credentials, bucket, pid, backendPid } = target;
  const load = await loadProcess({ ...job, host, port, credentials, bucket });
  resetPeakMemory(pid);
  const before = cpuTime(pid);
  const backendBefore = backendPid === undefined ? 0 : cpuSeconds(backendPid);
  const result = await load.go();
  const after = cpuTime(pid);
  const cpu = after.total - before.total;
  const backendCpu = backendPid === undefined ? Number.NaN : cpuSeconds(backendPid) - backendBefore;
  const { elapsedMs, requests, bytes, ...latencies } = result;
  return {
    load: name,
    target: target.name,
    round,
    figures: finite({
      cpuSecondsPerGb: cpu / (bytes / 1e9),
      cpuMsPerRequest: (cpu * 1000) / requests,
      kernelShare: (after.kernel - before.kernel) / cpu,
      ...(backendPid === undefined ? {} : { backendCpuMsPerRequest: (backendCpu * 1000) / requests }),
      bytesPerSecond: bytes / (elapsedMs / 1000),
      requestsPerSecond: requests / (elapsedMs / 1000),
      ...latencies,
      peakMemoryBytes: peakMemoryBytes(pid),
      elapsedMs,
    }),
  };
}

/** Where a load was cut before it had answers, there is nothing to tell of them. */
function finite(figures: Sample['figures']): Sample['figures'] {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)));
}

/** Starts the load process, ready to begin: what it prepares is not measured. */
async function loadProcess(job: LoadJob): Promise<{ go(): Promise<LoadResult> }> {
  const child = fork(join(import.meta.dirname, 'load.ts'), { execArgv: [] });
  const ready = once(child, 'message');
  child.send(job);
  const [first]: readonly unknown[] = await ready;
  if (first !== 'ready') throw new Error(`the load did not start: ${JSON.stringify(first)}`);
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
