import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ratioChart } from '../test/bench/chart.ts';
import { goalsTable } from '../test/bench/goals-table.ts';
import { keptProfiles, keptRuns, type KeptProfiles, type KeptRuns } from '../test/bench/kept-results.ts';
import { sharesTable } from '../test/bench/profile/shares-table.ts';
import { tables } from '../test/bench/report.ts';
import type { Run } from '../test/bench/results.ts';

const page = 'docs/PERFORMANCE.md';
const picture = 'docs/performance/ratios.svg';

/** The page with its generated parts, and the chart on it: text by path from the root of the repository. */
export function renderPerformance(root: string): readonly (readonly [path: string, text: string])[] {
  const runs = keptRuns();
  const samples = Object.values(runs).flatMap((run) => run.samples);
  const text = fill(readFileSync(join(root, page), 'utf8'), {
    goals: goalsTable(samples),
    machine: runsTable(runs),
    shares: profileText(keptProfiles()),
    figures: tables(samples),
  });
  const chart = ratioChart(samples);
  return [[page, text], ...(chart === undefined ? [] : [[picture, chart] as const])];
}

/**
 * Puts each text between `<!-- name -->` and `<!-- end of name -->`; the rest of the page is written by hand.
 * @throws Error where a part has no place
 */
export function fill(text: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((filled, [name, part]) => {
    const [before, after] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const from = filled.indexOf(before);
    const to = filled.indexOf(after);
    if (from < 0 || to < from) throw new Error(`no place for ${name} between ${before} and ${after}`);
    return `${filled.slice(0, from)}${before}\n\n${part}\n\n${filled.slice(to)}`;
  }, text);
}

function runsTable(runs: KeptRuns): string {
  const rows = Object.entries(runs).map(([name, run]) => [name, ...facts(run), String(run.settings['rounds'] ?? '')]);
  const head = ['scenario', 'day', 'commit', 'machine', 'load at its end', 'versions', 'rounds'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function facts({ time, commit, machine, versions }: Omit<Run, 'samples' | 'settings'>): readonly string[] {
  const memory = (Number(machine['memoryBytes']) / 2 ** 30).toFixed(0);
  const kind = `${machine['cpu']}, ${machine['cores']} cores, ${memory} GiB, Linux ${machine['kernel']}`;
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [time.slice(0, 10), commit, kind, String(machine['loadAverage']), programs.join(', ')];
}

function profileText(kept: KeptProfiles | undefined): string {
  if (kept === undefined) return 'No profile is kept.';
  const [day, commit, kind] = facts(kept);
  return `${sharesTable(kept.profiles)}\n\nOf ${day}, commit ${commit}, on ${kind}.`;
}
