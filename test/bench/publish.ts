import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ratioChart } from './chart.ts';
import { goalsTable } from './goals-table.ts';
import { tables } from './report.ts';
import type { Run } from './results.ts';
import { escapeXml } from './svg.ts';

/** Where each run leaves its files; not part of the repository. */
export const resultsFolder = 'bench-results';

/** Shows a run on the console, and writes it as JSON, as a chart and as a page that holds all of it. */
export function publish(run: Run): void {
  const texts = [tables(run.samples), goalsTable(run.samples)].filter((text) => text !== '');
  console.log(texts.join('\n\n'));
  mkdirSync(resultsFolder, { recursive: true });
  const name = join(resultsFolder, run.time.replaceAll(/[:.]/g, '-'));
  const chart = ratioChart(run.samples);
  const files = new Map([
    [`${name}.json`, `${JSON.stringify(run, undefined, 2)}\n`],
    [`${name}.html`, page(run, chart ?? '', texts)],
    ...(chart === undefined ? [] : [[`${name}.svg`, chart] as const]),
  ]);
  for (const [file, text] of files) writeFileSync(file, text);
  console.log(`\n${[...files.keys()].join('\n')}`);
}

function page({ time, commit, machine, versions, settings }: Run, chart: string, texts: readonly string[]): string {
  const facts = Object.entries({ commit, ...machine, ...versions, ...settings });
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Benchmark, ${escapeXml(time)}</title>`,
    '<meta name="color-scheme" content="light dark"><style>body{font:14px system-ui,sans-serif;margin:2em}',
    'table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #8884;padding:.2em .6em;text-align:left}</style></head><body>',
    `<h1>Benchmark, ${escapeXml(time)}</h1>`,
    `<p>${facts.map(([key, value]) => escapeXml(`${key}: ${value}`)).join(' · ')}</p>`,
    chart,
    ...texts.flatMap((text) => text.split('\n\n')).map(htmlTable),
    '</body></html>\n',
  ].join('\n');
}

/** The same table as in Markdown. */
function htmlTable(markdown: string): string {
  const [head = '', , ...rows] = markdown.split('\n');
  return `<table>${htmlRow(head, 'th')}${rows.map((row) => htmlRow(row, 'td')).join('')}</table>`;
}

function htmlRow(markdown: string, tag: 'th' | 'td'): string {
  const cells = markdown.split('|').slice(1, -1);
  const texts = cells.map((cell) => escapeXml(cell.trim().replaceAll('**', '')));
  return `<tr>${texts.map((text) => `<${tag}>${text}</${tag}>`).join('')}</tr>`;
}
