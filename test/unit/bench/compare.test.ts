import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { baselineOf, compareWithBaseline, type Baseline } from '../../bench/compare.ts';
import type { Figure, Sample } from '../../bench/results.ts';
import { coreLoads } from '../../bench/scenarios/core.ts';

const folder = mkdtempSync(join(tmpdir(), 's3eg-compare-'));
after(() => rmSync(folder, { recursive: true }));

/** Rounds of a load in which MinIO needs 2 each and the gateway the given values. */
function samplesOf(load: string, figure: Figure, values: readonly number[]): readonly Sample[] {
  return values.flatMap((value, round) => [
    { load, target: 'MinIO', round, figures: { [figure]: 2 } },
    { load, target: 'gateway', round, figures: { [figure]: value } },
  ]);
}

const large = (values: readonly number[]): readonly Sample[] => samplesOf('32 MiB PUT', 'cpuSecondsPerGb', values);
const small = (values: readonly number[]): readonly Sample[] => samplesOf('4 KiB GET', 'cpuMsPerRequest', values);
const baseline = baselineOf('abc', [...large([1, 1.2, 9]), ...small([3])]);

function file(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

function run(samples: readonly Sample[]): ReturnType<typeof spawnSync> {
  const from = file('run.json', { samples });
  const options = ['--compare', '--from', from, '--baseline', file('baseline.json', baseline)];
  return spawnSync(process.execPath, ['test/bench/bench.ts', ...options], { encoding: 'utf8' });
}

describe('the comparison with the baseline', () => {
  it('keeps the median ratio of each load', () => {
    assert.deepEqual(baseline.ratios, {
      '32 MiB PUT': { figure: 'cpuSecondsPerGb', ratio: 0.6 },
      '4 KiB GET': { figure: 'cpuMsPerRequest', ratio: 1.5 },
    });
  });

  it('tolerates half as much again, in the median', () => {
    const { lines, isWorse } = compareWithBaseline(baseline, [...large([1.79, 0.1, 90]), ...small([4.4])]);
    assert.equal(isWorse, false, lines.join('\n'));
    assert.equal(lines[0], '32 MiB PUT: 0.895 × MinIO, 0.600 at abc, limit 0.900: ok');
  });

  it('fails where one load is worse, and says which', () => {
    const { lines, isWorse } = compareWithBaseline(baseline, [...large([1.81, 1.81, 0.1]), ...small([3])]);
    assert.equal(isWorse, true);
    assert.deepEqual(
      lines.map((line) => line.split(': ').at(-1)),
      ['WORSE', 'ok'],
    );
  });

  it('fails where a load was not measured, or only on one of the two', () => {
    assert.equal(compareWithBaseline(baseline, large([1])).isWorse, true);
    const alone = small([3]).filter(({ target }) => target === 'gateway');
    const { lines, isWorse } = compareWithBaseline(baseline, [...large([1]), ...alone]);
    assert.equal(isWorse, true);
    assert.match(lines[1] ?? '', /NOT MEASURED/);
    assert.equal(compareWithBaseline({ ...baseline, ratios: {} }, large([1])).isWorse, true);
  });

  it('is what the command ends with', () => {
    const good = run([...large([1]), ...small([3])]);
    assert.deepEqual([good.status, good.stderr], [0, '']);
    const bad = run([...large([1]), ...small([5])]);
    assert.deepEqual([bad.status, bad.stderr], [1, '']);
    assert.match(String(bad.stdout), /4 KiB GET: 2\.50 × MinIO.*WORSE/);
  });

  it('has a committed baseline with every core load in it', () => {
    const committed: Baseline = JSON.parse(readFileSync('test/bench/baseline.json', 'utf8'));
    const names = coreLoads(true).map(({ name }) => name);
    assert.deepEqual(Object.keys(committed.ratios).toSorted(), names.toSorted());
    assert.ok(Object.values(committed.ratios).every(({ ratio }) => ratio > 0));
  });
});
