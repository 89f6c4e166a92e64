/** `npm run bench`: what the shipped gateway costs beside MinIO itself, in the same run and under the same load (docs/PERFORMANCE.md). */
import { globSync, readFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { variantOf } from './gateway.ts';
import { minioBinary } from './minio.ts';
import { tables } from './report.ts';
import { describeRun, type Run, type Sample } from './results.ts';
import type { Bench } from './scenario.ts';
import { profileLoad, writeFlameGraphs, type LoadProfile } from './profile/profile.ts';
import { sharesTable } from './profile/shares-table.ts';
import { coreLoads } from './scenarios/core.ts';
import { choose } from './scenarios.ts';

const help = `npm run bench -- [options]
  --only A,B         names of scenarios, or parts of names of loads; "all" for those too that take long
  --rounds N         how often each load is measured on each target (default 5, quick 2)
  --quick            less of everything
  --against WHAT     measure another gateway in the same rounds: the folder of a checkout, or the runtime bun or node24
  --profile          no measurement: flame graphs, and what the CPU time of each load goes into
  --minutes N        length of the soak (default 10)`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    against: { type: 'string' },
    profile: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (options.help) return console.log(help);
  const chosen = choose(options.only);
  minioBinary();
  if (options.profile) return await profile();
  const samples: Sample[] = [];
  for (const [scenario, loads] of chosen) {
    samples.push(...(await inFolder(scenario.name, loads, (bench) => scenario.run(bench))));
  }
  publish(describeRun(minioBinary(), { rounds: rounds(), ...options }, samples));
}

async function profile(): Promise<void> {
  const only = options.only?.toLowerCase().split(',') ?? ['32 mib put', '32 mib get', '4 kib put', '4 kib get'];
  const profiles: LoadProfile[] = [];
  for (const load of coreLoads(options.quick)) {
    if (!only.includes(load.name.toLowerCase())) continue;
    profiles.push(await inFolder(load.name, [load.name], (bench) => profileLoad(bench, load)));
  }
  console.log(sharesTable(profiles));
  console.log(writeFlameGraphs('bench-results', profiles).join('\n'));
}

function rounds(): number {
  const wanted = Number(options.rounds ?? (options.quick ? 2 : 5));
  if (!Number.isInteger(wanted) || wanted < 1) throw new Error('--rounds takes a whole number from 1');
  return wanted;
}

/** Runs something with a folder and servers of its own. */
async function inFolder<T>(name: string, loads: readonly string[], run: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(process.env['S3EG_BENCH_DIR'] ?? tmpdir(), 's3eg-bench-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const bench: Bench = {
    folder,
    rounds: rounds(),
    isQuick: options.quick,
    ...(options.against === undefined ? {} : { against: variantOf(options.against) }),
    soakMs: Number(options.minutes) * 60_000,
    isWanted: (load) => loads.includes(load),
    progress: (text) => console.error(`${name}: ${text}`),
    stopAtEnd: (server) => stack.defer(() => server.stop()),
  };
  try {
    return await run(bench);
  } catch (error) {
    for (const log of globSync(join(folder, '**/output.log'))) console.error(`${log}:\n${tail(log)}`);
    throw error;
  }
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-6).join('\n');
}

function publish(run: Run): void {
  console.log(tables(run.samples));
  mkdirSync('bench-results', { recursive: true });
  const file = join('bench-results', `${run.time.replaceAll(/[:.]/g, '-')}.json`);
  writeFileSync(file, `${JSON.stringify(run, undefined, 2)}\n`);
  console.log(`\n${file}`);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
