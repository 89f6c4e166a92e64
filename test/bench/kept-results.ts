import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { LoadShares } from './profile/shares-table.ts';
import type { Run } from './results.ts';

/** Where the results that docs/PERFORMANCE.md shows are kept. */
export const docsFolder = join(import.meta.dirname, '../../docs/performance');

const runsFile = join(docsFolder, 'results.json');
const profilesFile = join(docsFolder, 'profiles.json');

/** The last run of each scenario, by its name. */
export type KeptRuns = Readonly<Record<string, Run>>;

/** What the last profiles found. */
export interface KeptProfiles extends Omit<Run, 'samples' | 'settings'> {
  readonly profiles: readonly LoadShares[];
}

/** What is kept; nothing where nothing is. */
export function keptRuns(): KeptRuns {
  return existsSync(runsFile) ? JSON.parse(readFileSync(runsFile, 'utf8')) : {};
}

/** Replaces the runs of these scenarios. */
export function keepRuns(runs: KeptRuns): void {
  const texts = Object.entries({ ...keptRuns(), ...runs }).map(([name, run]) => {
    const { samples, ...facts } = run;
    const lines = samples.map((sample) => `      ${JSON.stringify(sample, rounded)}`);
    const head = JSON.stringify(facts).slice(0, -1);
    return `  ${JSON.stringify(name)}: ${head},\n    "samples": [\n${lines.join(',\n')}\n    ]\n  }`;
  });
  mkdirSync(docsFolder, { recursive: true });
  writeFileSync(runsFile, `{\n${texts.join(',\n')}\n}\n`);
}

/** What is kept of the last profiles. */
export function keptProfiles(): KeptProfiles | undefined {
  return existsSync(profilesFile) ? JSON.parse(readFileSync(profilesFile, 'utf8')) : undefined;
}

/** Replaces the profiles. */
export function keepProfiles({ time, commit, machine, versions }: Run, profiles: readonly LoadShares[]): void {
  const shares = profiles.map(({ load, shares: found, kernelShare }) => ({ load, shares: found, kernelShare }));
  const kept: KeptProfiles = { time, commit, machine, versions, profiles: shares };
  mkdirSync(docsFolder, { recursive: true });
  writeFileSync(profilesFile, `${JSON.stringify(kept, rounded, 2)}\n`);
}

/** Five digits are more than is known. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
