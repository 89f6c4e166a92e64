/** Everything at once for a long time: whether memory stays what it is. */
import { setTimeout as sleep } from 'node:timers/promises';

import { measure, type Load } from '../measure.ts';
import { residentMemoryBytes } from '../process-usage.ts';
import { subject } from '../results.ts';
import { startBackend, startSubject, store, type Bench, type Scenario } from '../scenario.ts';
import { slopeOf } from '../statistics.ts';
import type { Target } from '../target.ts';

const name = 'soak';
const sampleEveryMs = 1000;
/** A load process stops after this time and a new one starts, with new connections and fresh signatures. */
const stintMs = 20_000;
/** What is not yet settled at the start is not growth: so much of the time is left out. */
const settlingShare = 1 / 3;

const job = { requests: Number.MAX_SAFE_INTEGER, signedPayload: false, verify: false };
const large = { ...job, objectBytes: 32 * 2 ** 20, keys: 4, connections: 2 };
const small = { ...job, objectBytes: 4096, keys: 64, connections: 2 };
const mixed: readonly Load[] = [
  { name, job: { ...large, method: 'PUT' } },
  { name, job: { ...large, method: 'GET' } },
  { name, job: { ...large, method: 'GET', rangeBytes: 65_536 } },
  { name, job: { ...small, method: 'PUT', signedPayload: true } },
  { name, job: { ...small, method: 'GET' } },
];

/** Uploads, downloads and ranges of large and small objects, all at the same time; `--minutes` says for how long. */
export const soak: Scenario = {
  name,
  loads: [name],
  isLong: true,
  async run(bench) {
    const gateway = await startSubject(bench, { name: subject, backend: await startBackend(bench) });
    for (const load of [mixed[0], mixed[3]]) if (load !== undefined) await store(gateway, load);
    const endMs = performance.now() + bench.soakMs;
    const [points] = await Promise.all([
      sampleMemory(bench, gateway, endMs),
      ...mixed.map((load) => repeat(gateway, load, endMs)),
    ]);
    const settled = points.slice(Math.floor(points.length * settlingShare));
    const figures = {
      memoryBytesPerMinute: slopeOf(settled),
      peakMemoryBytes: Math.max(...points.map(([, bytes]) => bytes)),
      elapsedMs: bench.soakMs,
    };
    return [{ load: name, target: subject, round: 1, figures }];
  },
};

async function repeat(gateway: Target, { job: mixedJob }: Load, endMs: number): Promise<void> {
  for (let leftMs = endMs - performance.now(); leftMs > 0; leftMs = endMs - performance.now()) {
    await measure(gateway, { name, job: { ...mixedJob, durationMs: Math.min(stintMs, leftMs) } }, 0);
  }
}

async function sampleMemory(bench: Bench, { pid }: Target, endMs: number): Promise<(readonly [number, number])[]> {
  const startMs = performance.now();
  const points: [number, number][] = [];
  while (performance.now() < endMs) {
    await sleep(sampleEveryMs);
    const minutes = (performance.now() - startMs) / 60_000;
    points.push([minutes, residentMemoryBytes(pid)]);
    if (points.length % 60 === 0) bench.progress(`${minutes.toFixed(0)} min, ${mebibytes(points.at(-1)?.[1])} MiB`);
  }
  return points;
}

function mebibytes(bytes = 0): string {
  return (bytes / 2 ** 20).toFixed(0);
}
