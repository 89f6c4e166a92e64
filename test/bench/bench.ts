/**
 * `npm run bench`: CPU, throughput and memory of the shipped gateway beside those of MinIO itself, in the same run and
 * under the same load (docs/performance.md). `--quick` for a first look, `--rounds N`, `--only TEXT` for some loads,
 * `--only listing` for pages of a bucket of 100 000 objects.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { fill, listingRounds, listingTable } from './listing.ts';
import { measure, type Load, type Sample } from './measure.ts';
import { table } from './report.ts';
import { makeBucket, minioBinary, startGateway, startMinio, type Target } from './targets.ts';

const mebibyte = 2 ** 20;

function loads(isQuick: boolean): readonly Load[] {
  const large = { objectBytes: 32 * mebibyte, connections: 4, requests: isQuick ? 12 : 32, keys: 4, verify: false };
  const small = { objectBytes: 4096, connections: 8, requests: isQuick ? 1000 : 4000, keys: 64, verify: false };
  return [
    { name: '32 MiB PUT', job: { ...large, method: 'PUT', signedPayload: false } },
    { name: '32 MiB PUT, SHA-256 signed', job: { ...large, method: 'PUT', signedPayload: true } },
    { name: '32 MiB GET', job: { ...large, method: 'GET', signedPayload: false } },
    { name: '4 KiB PUT', job: { ...small, method: 'PUT', signedPayload: false } },
    { name: '4 KiB PUT, SHA-256 signed', job: { ...small, method: 'PUT', signedPayload: true } },
    { name: '4 KiB GET', job: { ...small, method: 'GET', signedPayload: false } },
  ];
}

/** Stores every object, reads it back and compares it: also warms each target up. */
async function prepare(target: Target): Promise<void> {
  await makeBucket(target);
  for (const [objectBytes, keys] of [
    [32 * mebibyte, 4],
    [4096, 64],
  ] as const) {
    const job = { objectBytes, keys, connections: 2, requests: keys, signedPayload: true, verify: true };
    await measure(target, { name: 'store', job: { ...job, method: 'PUT' } }, 0);
    await measure(target, { name: 'compare', job: { ...job, method: 'GET' } }, 0);
    if (objectBytes === 4096) {
      await measure(target, { name: 'warm', job: { ...job, method: 'PUT', verify: false, requests: 500 } }, 0);
      await measure(target, { name: 'warm', job: { ...job, method: 'GET', verify: false, requests: 500 } }, 0);
    }
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, only: { type: 'string' } },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  const chosen = loads(values.quick).filter(({ name }) => name.includes(values.only ?? ''));
  minioBinary();
  const folder = mkdtempSync(join(process.env['S3EG_BENCH_DIR'] ?? tmpdir(), 's3eg-bench-'));
  const targets: Target[] = [];
  const samples: Sample[] = [];
  try {
    const minio = await startMinio(join(folder, 'minio'));
    targets.push(minio);
    const gateway = await startGateway(join(folder, 'gateway-minio'), minio);
    targets.push(gateway);
    if ('listing'.includes(values.only ?? '')) {
      await fill(gateway, join(folder, 'minio', 'objects'), values.quick ? 10_000 : 100_000);
      console.log(listingTable(await listingRounds(gateway, minio, rounds)));
    }
    if (chosen.length === 0) return;
    targets.push(await startGateway(join(folder, 'gateway-embedded')));
    for (const target of targets) await prepare(target);
    for (let round = 1; round <= rounds; round += 1) {
      for (const load of chosen) {
        for (const target of targets) {
          samples.push(await measure(target, load, round));
          console.error(`round ${round}/${rounds}: ${load.name}, ${target.name}`);
        }
      }
    }
    publish(samples, rounds, minio.name);
  } finally {
    for (const target of targets.toReversed()) await target.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function publish(samples: readonly Sample[], rounds: number, reference: string): void {
  const ordered = samples.toSorted((a, b) => a.round - b.round);
  console.log(table(ordered, reference));
  const time = new Date().toISOString();
  mkdirSync('bench-results', { recursive: true });
  const file = join('bench-results', `${time.replaceAll(/[:.]/g, '-')}.json`);
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    loadAverage: loadavg(),
    node: process.version,
  };
  writeFileSync(file, `${JSON.stringify({ time, machine, rounds, samples }, undefined, 2)}\n`);
  console.log(`\n${file}`);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
