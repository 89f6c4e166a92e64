/** `npm run bench`: what the shipped gateway costs beside MinIO itself, in the same run and under the same load (docs/PERFORMANCE.md). */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { baselineOf, compareWithBaseline, type Baseline } from './compare.ts';
import { docsFolder, keepProfiles, keepRuns } from './kept-results.ts';
import { minioBinary } from './minio.ts';
import { help, readOptions, type BenchOptions } from './options.ts';
import { profileLoad, writeFlameGraphs, type LoadProfile } from './profile/profile.ts';
import { sharesTable } from './profile/shares-table.ts';
import { publish, resultsFolder } from './publish.ts';
import { describeRun, type Run, type Sample } from './results.ts';
import type { Bench } from './scenario.ts';
import { choose } from './scenarios.ts';
import { coreLoads } from './scenarios/core.ts';

async function main(options: BenchOptions): Promise<void> {
  if (options.mode === 'help') return console.log(help);
  if (options.from === undefined) minioBinary();
  if (options.mode === 'profile') return await profile(options);
  const run = await measuredOrRead(options);
  if (options.mode === 'compare') return compare(options, run);
  if (options.mode === 'write-baseline') return writeBaseline(options, run);
  publish(run);
}

async function measuredOrRead(options: BenchOptions): Promise<Run> {
  return options.from === undefined ? await measureChosen(options) : JSON.parse(readFileSync(options.from, 'utf8'));
}

async function measureChosen(options: BenchOptions): Promise<Run> {
  const { rounds, isQuick, against, settings: yaml, soakMs } = options;
  const settings = {
    rounds,
    isQuick,
    soakMinutes: soakMs / 60_000,
    ...(against === undefined ? {} : { against: against.name }),
    ...(yaml === undefined ? {} : { settings: yaml }),
  };
  const samples: Sample[] = [];
  for (const [scenario, loads] of choose(options.only)) {
    if (options.writesDocs && loads.length < scenario.loads.length)
      throw new Error('--write-docs takes whole scenarios');
    const found = await inFolder(options, scenario.name, loads, (bench) => scenario.run(bench));
    if (options.writesDocs) keepRuns({ [scenario.name]: describeRun(minioBinary(), settings, found) });
    samples.push(...found);
  }
  return describeRun(minioBinary(), settings, samples);
}

function writeBaseline({ baselineFile }: BenchOptions, { commit, samples }: Run): void {
  writeFileSync(baselineFile, `${JSON.stringify(baselineOf(commit, samples), undefined, 2)}\n`);
}

function compare({ baselineFile }: BenchOptions, { samples }: Run): void {
  const baseline: Baseline = JSON.parse(readFileSync(baselineFile, 'utf8'));
  const { lines, isWorse } = compareWithBaseline(baseline, samples);
  console.log(lines.join('\n'));
  if (isWorse) process.exitCode = 1;
}

/** Profiles the loads that `--only` names in full, by default those of unsigned bodies. */
async function profile(options: BenchOptions): Promise<void> {
  const only = options.only?.toLowerCase().split(',') ?? ['32 mib put', '32 mib get', '4 kib put', '4 kib get'];
  const profiles: LoadProfile[] = [];
  for (const load of coreLoads(options.isQuick).filter(({ name }) => only.includes(name.toLowerCase()))) {
    profiles.push(await inFolder(options, load.name, [load.name], (bench) => profileLoad(bench, load)));
  }
  if (profiles.length === 0)
    throw new Error(
      `--profile takes ${coreLoads(true)
        .map(({ name }) => name)
        .join('; ')}`,
    );
  console.log(sharesTable(profiles));
  console.log(writeFlameGraphs(options.writesDocs ? docsFolder : resultsFolder, profiles).join('\n'));
  if (options.writesDocs) keepProfiles(describeRun(minioBinary(), {}, []), profiles);
}

/** Runs something with a folder and servers of its own. */
async function inFolder<T>(
  { rounds, isQuick, against, settings, soakMs }: BenchOptions,
  name: string,
  loads: readonly string[],
  run: (bench: Bench) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(process.env['S3EG_BENCH_DIR'] ?? tmpdir(), 's3eg-bench-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  stack.use(endingWith(stack));
  const bench: Bench = {
    folder,
    rounds,
    isQuick,
    ...(against === undefined ? {} : { against }),
    ...(settings === undefined ? {} : { settings }),
    soakMs,
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

/** Until it is disposed of: an interrupted benchmark leaves no server, network or file behind either. */
function endingWith(stack: AsyncDisposableStack): Disposable {
  const end = (): void => {
    stack.disposeAsync().then(exitInterrupted, exitInterrupted);
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  return { [Symbol.dispose]: () => process.off('SIGINT', end).off('SIGTERM', end) };
}

function exitInterrupted(): never {
  process.exit(130);
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-6).join('\n');
}

try {
  await main(readOptions(process.argv.slice(2)));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
