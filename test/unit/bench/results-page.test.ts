import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { SaxesParser } from 'saxes';

import { ratioChart } from '../../bench/chart.ts';
import { goals } from '../../bench/goals.ts';
import { goalsTable } from '../../bench/goals-table.ts';
import { tables } from '../../bench/report.ts';
import type { Sample } from '../../bench/results.ts';
import { scenarios } from '../../bench/scenarios.ts';
import { fill } from '../../../tools/performance-page.ts';

function pair(
  load: string,
  round: number,
  [direct, through]: readonly [Sample['figures'], Sample['figures']],
): Sample[] {
  return [
    { load, target: 'gateway', round, figures: through },
    { load, target: 'MinIO', round, figures: direct },
  ];
}

const samples = [
  ...pair('32 MiB PUT', 1, [{ cpuSecondsPerGb: 4 }, { cpuSecondsPerGb: 1 }]),
  ...pair('32 MiB PUT', 2, [{ cpuSecondsPerGb: 2 }, { cpuSecondsPerGb: 1 }]),
  ...pair('32 MiB GET', 1, [{ cpuSecondsPerGb: 1 }, { cpuSecondsPerGb: 1.75 }]),
  ...pair('first byte of 1 MiB', 1, [{ firstByteP50Ms: 2 }, { firstByteP50Ms: 2.5 }]),
  ...pair('slow line, 8 MiB GET', 1, [{ bytesPerSecond: 1e8 }, { bytesPerSecond: 7e7 }]),
  { load: '32 MiB PUT', target: 'least gateway', round: 1, figures: { cpuSecondsPerGb: 1 } },
  { load: '32 MiB PUT', target: 'bare relay', round: 1, figures: { cpuSecondsPerGb: 0.25 } },
  { load: 'soak', target: 'gateway', round: 1, figures: { memoryBytesPerMinute: 2 ** 19 } },
];

describe('what is shown of a run', () => {
  it('holds the gateway to each goal that was measured, by ratio, difference or value, and shows the floor', () => {
    assert.deepEqual(goalsTable(samples).split('\n').slice(2), [
      '| 32 MiB PUT, CPU per GB | ≤ 0.500 × MinIO | 0.375 (0.313–0.438) | reached | 0.250 | 0.0625 |',
      '| 32 MiB GET, CPU per GB | ≤ 1.50 × MinIO | 1.75 | **not reached** |  |  |',
      '| GET on a slow line, rate of 16 connections | ≥ 0.800 × MinIO | 0.700 | **not reached** |  |  |',
      '| first byte of a GET, p50 above direct | ≤ 1 ms | 0.500 | reached |  |  |',
      '| growth of memory in a soak of mixed requests | ≤ 1 MiB/min | 0.500 | reached |  |  |',
    ]);
  });

  it('has only goals whose loads there are', () => {
    const loads = new Set(scenarios.flatMap((scenario) => scenario.loads));
    assert.deepEqual(
      goals.map(({ load }) => load).filter((load) => !loads.has(load)),
      [],
    );
  });

  it('compares within rounds: the median of the ratios, not the ratio of the medians', () => {
    const [, , line] = tables(samples).split('\n');
    assert.equal(
      line,
      '| 32 MiB PUT | CPU, s/GB | 3 (2.50–3.50) | 1 (1–1) | 1 | 0.250 | 0.375 (0.313–0.438) | 0.250 | 0.0625 |',
    );
  });

  it('draws bars in proportion, and says by their kind whether a goal is reached', () => {
    const bars: { kind: string; widthPx: number }[] = [];
    const parser = new SaxesParser();
    parser.on('opentag', ({ name, attributes }) => {
      if (name === 'rect') bars.push({ kind: String(attributes['class']), widthPx: Number(attributes['width']) });
    });
    parser.on('error', (error) => assert.fail(error));
    parser.write(ratioChart(samples) ?? '').close();
    assert.deepEqual(
      bars.map(({ kind }) => kind),
      ['good', 'bad', 'bad'],
    );
    const [put = Number.NaN, get = Number.NaN, line = Number.NaN] = bars.map(({ widthPx }) => widthPx);
    assert.ok(Math.abs(get / put - 1.75 / 0.375) < 0.02 && Math.abs(line / put - 0.7 / 0.375) < 0.02);
  });

  it('draws nothing of nothing', () => {
    assert.equal(ratioChart([]), undefined);
    assert.equal(goalsTable([]), '');
  });
});

describe('the page with generated parts', () => {
  it('gets each part anew, and keeps what is around them', () => {
    const text = 'a\n<!-- one -->\nold\n<!-- end of one -->\nb\n<!-- two -->\n<!-- end of two -->\n';
    const filled = fill(text, { one: 'A', two: 'B' });
    assert.equal(filled, 'a\n<!-- one -->\n\nA\n\n<!-- end of one -->\nb\n<!-- two -->\n\nB\n\n<!-- end of two -->\n');
    assert.equal(fill(filled, { one: 'A', two: 'B' }), filled);
  });

  it('refuses a page that has no place for a part', () => {
    assert.throws(() => fill('<!-- end of one --><!-- one -->', { one: 'A' }), /no place for one/);
  });
});
