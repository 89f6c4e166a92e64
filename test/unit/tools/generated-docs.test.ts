import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { configSchema } from '../../../src/config/schema.ts';
import { errorCatalogue } from '../../../src/s3/error-catalogue.ts';
import { operationTable } from '../../../src/s3/operation-rows.ts';
import { metricCatalogue } from '../../../src/telemetry/metric-catalogue.ts';
import { generatedDocs } from '../../../tools/generate-docs.ts';

const root = join(import.meta.dirname, '../../..');
const pages = await generatedDocs();

for (const [path, text] of pages) {
  test(`${path} is what the code says`, async () => {
    assert.equal(await readFile(join(root, path), 'utf8'), text);
  });
}

test('every section and every metric has its place', () => {
  const config = pages.get('docs/configuration.md') ?? '';
  for (const section of Object.keys(configSchema.shape)) assert.ok(config.includes(`\n## \`${section}\`\n`), section);
  const metrics = pages.get('docs/metrics.md') ?? '';
  for (const { name } of Object.values(metricCatalogue)) assert.ok(metrics.includes(`| \`${name}\` |`), name);
});

test('no row of the configuration lacks its type or meaning', () => {
  const rows = (pages.get('docs/configuration.md') ?? '').split('\n').filter((line) => line.startsWith('| `'));
  assert.ok(rows.length > 70);
  for (const row of rows) {
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (cells.length === 6) assert.ok(cells[2] !== '' && cells[4] !== '', row);
  }
});

/** Cells of the tables of a page, by the text of the first cell; a text may stand in several rows. */
function rowsOf(path: string): ReadonlyMap<string, readonly (readonly string[])[]> {
  const lines = (pages.get(path) ?? '').split('\n').filter((line) => line.startsWith('| '));
  const rows = lines.map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  const grouped = Map.groupBy(rows, ([, first = '']) => first);
  return new Map(Array.from(grouped, ([first, same]) => [first, same.map((cells) => cells.slice(2, -1))]));
}

test('every operation of the table has a row that says how it is served, or why not', () => {
  const rows = rowsOf('docs/s3-compatibility.md');
  for (const row of operationTable) {
    const same = operationTable.filter(({ operation }) => operation === row.operation);
    assert.equal(rows.get(row.operation)?.length, same.length, row.operation);
    const words = row.handling === 'refused' ? [row.reason] : ['encrypted', 'answered by the gateway', 'forwarded'];
    const found = rows.get(row.operation)?.some(([request = '', said = '']) => {
      const parameters = Object.keys(row.query).every((name) => request.includes(name));
      return request.startsWith(`\`${row.method} /`) && parameters && words.includes(said);
    });
    assert.ok(found, `${row.operation}: ${JSON.stringify(rows.get(row.operation))}`);
  }
});

test('every command has a section with its options, and none is undocumented', () => {
  const page = pages.get('docs/cli.md') ?? '';
  for (const name of ['serve', 'check', 'inspect', 'decrypt']) {
    const help = spawnSync(process.execPath, [join(root, 'src/cli/main.ts'), name, '--help'], { encoding: 'utf8' });
    const options = Array.from(help.stdout.matchAll(/^ {2}(--[\w-]+)/gm), ([, option = '']) => option);
    const [, section = ''] = page.split(`\n## \`s3eg ${name}`);
    const rows = section.split('\n## ', 1)[0] ?? '';
    for (const option of options)
      if (option !== '--help') assert.ok(rows.includes(`| \`${option}`), `${name} ${option}`);
    assert.ok(options.length > 1);
  }
  for (const row of page.split('\n').filter((line) => line.startsWith('| `'))) {
    assert.notEqual(row.split(/(?<!\\)\|/)[3]?.trim(), '', row);
  }
});

test('every error code has a row with its status and message', () => {
  const rows = rowsOf('docs/errors.md');
  for (const [code, { status, message }] of Object.entries(errorCatalogue)) {
    assert.ok(
      rows.get(`\`${code}\``)?.some(([shown, text]) => shown === String(status) && text === message),
      code,
    );
  }
});
