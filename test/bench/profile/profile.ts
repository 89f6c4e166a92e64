import { mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { measure, type Load } from '../measure.ts';
import { subject, type Sample } from '../results.ts';
import { startBackend, startSubject, store, type Bench } from '../scenario.ts';
import { frameTree, type CpuProfile, type Frame, type Window } from './cpu-profile.ts';
import { flameGraph } from './flame-graph.ts';
import { sharesOf, type Category } from './shares.ts';

/** What a load's CPU time went into. */
export interface LoadProfile {
  readonly load: string;
  readonly shares: Readonly<Record<Category, number>>;
  /** Of all CPU time of the process, its other threads too. */
  readonly kernelShare: number;
  readonly flameGraph: string;
}

const microsPerSample = '500';

/** Runs one load on the gateway under V8's profiler; what starts and warms it up is not in the profile. */
export async function profileLoad(bench: Bench, load: Load): Promise<LoadProfile> {
  const minio = await startBackend(bench);
  const written = mkdtempSync(join(bench.folder, 'profiles-'));
  const nodeOptions = ['--cpu-prof', `--cpu-prof-dir=${written}`, `--cpu-prof-interval=${microsPerSample}`];
  const gateway = await startSubject(bench, { name: subject, backend: minio, nodeOptions });
  await store(gateway, load);
  await measure(gateway, load, 0);
  const fromMicros = monotonicMicros();
  const sample = await measure(gateway, load, 1);
  const window = { fromMicros, toMicros: monotonicMicros() };
  await gateway.stop();
  await minio.stop();
  const tree = frameTree(readProfiles(written), window);
  if (tree.totalMicros === 0) throw new Error(`no profile of ${load.name} was written`);
  return describe(load, sample, tree);
}

function describe({ name }: Load, sample: Sample, tree: Frame): LoadProfile {
  const title = `CPU of the gateway, ${name}`;
  const kernelShare = sample.figures.kernelShare ?? Number.NaN;
  return { load: name, shares: sharesOf(tree), kernelShare, flameGraph: flameGraph(tree, title) };
}

/** Writes each picture as `flame-<load>.svg`. @returns the files */
export function writeFlameGraphs(folder: string, profiles: readonly LoadProfile[]): readonly string[] {
  mkdirSync(folder, { recursive: true });
  return profiles.map(({ load, flameGraph: picture }) => {
    const file = join(folder, `flame-${load.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.svg`);
    writeFileSync(file, picture);
    return file;
  });
}

/** Every thread and every process writes a profile of its own. */
function readProfiles(folder: string): readonly CpuProfile[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

/** The clock of V8's profiles. */
function monotonicMicros(): Window['fromMicros'] {
  return Number(process.hrtime.bigint() / 1000n);
}
