import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { configSchema } from '../../../src/config/schema.ts';
import { metricCatalogue } from '../../../src/telemetry/metric-catalogue.ts';
import { generatedDocs } from '../../../tools/generate-docs.ts';

const root = join(import.meta.dirname, '../../..');

for (const [path, text] of generatedDocs()) {
  test(`${path} is what the code says`, async () => {
    assert.equal(await readFile(join(root, path), 'utf8'), text);
  });
}

test('every section and every metric has its place', () => {
  const config = generatedDocs().get('docs/configuration.md') ?? '';
  for (const section of Object.keys(configSchema.shape)) assert.ok(config.includes(`\n## \`${section}\`\n`), section);
  const metrics = generatedDocs().get('docs/metrics.md') ?? '';
  for (const { name } of Object.values(metricCatalogue)) assert.ok(metrics.includes(`| \`${name}\` |`), name);
});

test('no row of the configuration lacks its type or meaning', () => {
  const rows = (generatedDocs().get('docs/configuration.md') ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  assert.ok(rows.length > 70);
  for (const row of rows) {
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (cells.length === 6) assert.ok(cells[2] !== '' && cells[4] !== '', row);
  }
});
