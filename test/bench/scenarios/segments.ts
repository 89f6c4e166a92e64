/** What the segment size costs and saves: whole objects, small ranges of a large one, and memory under many streams. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';

import { measure, type Load } from '../measure.ts';
import { readBytes } from '../process-usage.ts';
import type { Sample } from '../results.ts';
import { startBackend, startSubject, store, type Bench, type Scenario } from '../scenario.ts';
import type { Target } from '../target.ts';

const kibibyte = 2 ** 10;
const mebibyte = 2 ** 20;
const sizes = ['64 KiB', '128 KiB', '256 KiB', '512 KiB', '1 MiB'] as const;

/** Objects of 32 MiB with 4, 1 and 16 at once, and 64 KiB all over an object of 1 GiB. */
function segmentLoads(isQuick: boolean): readonly Load[] {
  const whole = { objectBytes: 32 * mebibyte, keys: 4, signedPayload: false, verify: false };
  const few = { ...whole, connections: 4, requests: isQuick ? 16 : 32 };
  const many = { ...whole, connections: 16, requests: isQuick ? 32 : 64 };
  const range = { ...whole, objectBytes: 2 ** 30, rangeBytes: 64 * kibibyte, keys: 1, connections: 1 };
  return [
    { name: 'segments: PUT', job: { ...few, method: 'PUT' } },
    { name: 'segments: GET', job: { ...few, method: 'GET' } },
    { name: 'segments: lone GET', job: { ...few, connections: 1, method: 'GET' } },
    { name: 'segments: range', job: { ...range, method: 'GET', requests: isQuick ? 300 : 600 } },
    { name: 'segments: 16 PUTs', job: { ...many, method: 'PUT' } },
    { name: 'segments: 16 GETs', job: { ...many, method: 'GET' } },
  ];
}

/** In front of MinIO, and MinIO itself. */
export const segments: Scenario = {
  name: 'segments',
  loads: segmentLoads(true).map(({ name }) => name),
  isLong: true,
  async run(bench) {
    const minio = await startBackend(bench);
    const targets: Target[] = [minio];
    for (const size of sizes) targets.push(await startWith(bench, size, minio));
    return await rounds(bench, targets);
  },
};

/** With the embedded store. */
export const segmentsEmbedded: Scenario = {
  name: 'segments-embedded',
  loads: segments.loads.map(embeddedName),
  isLong: true,
  async run(bench) {
    const targets: Target[] = [];
    for (const size of sizes) targets.push(await startWith(bench, size));
    const samples = await rounds({ ...bench, isWanted: (load) => bench.isWanted(embeddedName(load)) }, targets);
    return samples.map((sample) => ({ ...sample, load: embeddedName(sample.load) }));
  },
};

function embeddedName(load: string): string {
  return load.replace('segments', 'segments embedded');
}

async function startWith(bench: Bench, size: (typeof sizes)[number], backend?: Target): Promise<Target> {
  const segmentSize = size.replace(' ', '');
  const settings = `policies: [{ name: segments, encryption: { segmentSize: ${segmentSize} } }]\n`;
  if (backend === undefined) return await startSubject(bench, { name: size, settings });
  // A gateway refuses a server in which another key's canary is: all of them get the keyring of the first.
  const data = (name: string): string => join(bench.folder, name.toLowerCase().replace(' ', '-'), 'data');
  if (size !== sizes[0]) cpSync(data(sizes[0]), data(size), { recursive: true });
  return await startSubject(bench, { name: size, settings, backend });
}

async function rounds(bench: Bench, targets: readonly Target[]): Promise<readonly Sample[]> {
  const loads = segmentLoads(bench.isQuick).filter(({ name }) => bench.isWanted(name));
  for (const target of targets) {
    // What comes back of a large object is compared with the small one: that takes long.
    for (const load of oneOfEachSize(loads)) await store(target, load, { verify: load.job.objectBytes < 2 ** 30 });
    bench.progress(`stored and compared: ${target.name}`);
  }
  const samples: Sample[] = [];
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const load of loads) {
      for (const target of round % 2 === 0 ? targets.toReversed() : targets) {
        samples.push(await measureWithReads(target, load, round));
      }
      bench.progress(`round ${round} of ${bench.rounds}: ${load.name}`);
    }
  }
  return samples;
}

/** What the process reads of its clients is next to nothing in a GET: the rest comes from the server or disk behind it. */
async function measureWithReads(target: Target, load: Load, round: number): Promise<Sample> {
  const before = readBytes(target.pid);
  const sample = await measure(target, load, round);
  if (load.job.method === 'PUT') return sample;
  const readBytesPerRequest = (readBytes(target.pid) - before) / load.job.requests;
  return { ...sample, figures: { ...sample.figures, readBytesPerRequest } };
}

function oneOfEachSize(loads: readonly Load[]): readonly Load[] {
  return [...new Map(loads.map((load) => [load.job.objectBytes, load])).values()];
}
