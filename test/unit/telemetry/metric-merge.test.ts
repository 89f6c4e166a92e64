import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { renderExposition } from '../../../src/telemetry/exposition.ts';
import { metricCatalogue } from '../../../src/telemetry/metric-catalogue.ts';
import { mergeFamilies, RetiredMetrics } from '../../../src/telemetry/metric-merge.ts';
import { type MetricDescriptor, type MetricFamily, MetricsRegistry } from '../../../src/telemetry/metrics.ts';

const jobs = { name: 't_jobs_total', type: 'counter', help: 'Jobs.', labels: ['kind'] } as const;
const level = { name: 't_level', type: 'gauge', help: 'Level.', labels: [] } as const;
const lag = { name: 't_lag', type: 'gauge', help: 'Lag.', labels: [], across: 'max' } as const;
const start = { name: 't_start', type: 'gauge', help: 'Start.', labels: [], across: 'min' } as const;
const seconds = { name: 't_seconds', type: 'histogram', help: 'Time.', labels: ['op'], buckets: [1, 2] } as const;

interface Process {
  readonly jobs: Readonly<Record<string, number>>;
  readonly level: number;
  readonly observations: readonly number[];
}

function registryOf({ jobs: counts, level: value, observations }: Process): MetricsRegistry {
  const registry = new MetricsRegistry();
  const counter = registry.counter(jobs);
  for (const [kind, count] of Object.entries(counts)) counter.add({ kind }, count);
  for (const descriptor of [level, lag, start]) registry.gauge(descriptor).set({}, value);
  const histogram = registry.histogram(seconds);
  for (const seen of observations) histogram.observe({ op: 'x' }, seen);
  return registry;
}

/** Lines of all that is not a gauge. */
function counted(families: readonly MetricFamily[]): string[] {
  const shown = families.filter(({ descriptor }) => descriptor.type !== 'gauge');
  return renderExposition(shown, 'prometheus').split('\n').toSorted();
}

test('counters and histograms are summed, gauges joined as each says', () => {
  const one = registryOf({ jobs: { a: 1, b: 2 }, level: 5, observations: [0.5, 1.5] });
  const two = registryOf({ jobs: { b: 40, c: 3 }, level: 7, observations: [1.5, 9] });
  const text = renderExposition(mergeFamilies([one.collect(), two.collect()]), 'prometheus');
  assert.deepEqual(
    text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    [
      't_jobs_total{kind="a"} 1',
      't_jobs_total{kind="b"} 42',
      't_jobs_total{kind="c"} 3',
      't_level 12',
      't_lag 7',
      't_start 5',
      't_seconds_bucket{op="x",le="1"} 1',
      't_seconds_bucket{op="x",le="2"} 3',
      't_seconds_bucket{op="x",le="+Inf"} 4',
      't_seconds_sum{op="x"} 12.5',
      't_seconds_count{op="x"} 4',
    ],
  );
});

test('the metrics of several processes are those of one that did it all', () => {
  const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(1000));
  const process = fc.record({ jobs: counts, level: fc.nat(), observations: fc.array(fc.nat(4), { maxLength: 20 }) });
  fc.assert(
    fc.property(fc.array(process, { minLength: 1, maxLength: 5 }), (processes) => {
      const all: Record<string, number> = {};
      for (const { jobs: some } of processes) {
        for (const [kind, count] of Object.entries(some)) all[kind] = (all[kind] ?? 0) + count;
      }
      const observations = processes.flatMap((each) => each.observations);
      assert.deepEqual(
        counted(mergeFamilies(processes.map((each) => registryOf(each).collect()))),
        counted(registryOf({ jobs: all, level: 0, observations }).collect()),
      );
    }),
  );
});

test('what a process counted stays when it is gone, and what it measured goes', () => {
  const retired = new RetiredMetrics();
  for (const count of [1, 10]) {
    retired.add(registryOf({ jobs: { a: count }, level: 5, observations: [1] }).collect());
  }
  assert.deepEqual(
    retired.families.map(({ descriptor }) => descriptor.name),
    ['t_jobs_total', 't_seconds'],
  );
  const living = registryOf({ jobs: { a: 100 }, level: 3, observations: [] });
  const merged = mergeFamilies([living.collect(), retired.families]);
  const values = merged.flatMap(({ descriptor, samples }) =>
    samples.filter(({ suffix }) => suffix === '' || suffix === '_count').map(({ value }) => [descriptor.name, value]),
  );
  assert.deepEqual(Object.fromEntries(values), { t_jobs_total: 111, t_level: 3, t_lag: 3, t_start: 3, t_seconds: 2 });
});

test('the totals of processes that are gone are bounded', () => {
  const retired = new RetiredMetrics();
  for (let round = 0; round < 30; round++) {
    const kinds = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`${round} ${index}`, 1]));
    retired.add(registryOf({ jobs: kinds, level: 0, observations: [] }).collect());
  }
  assert.ok((retired.families[0]?.samples.length ?? Infinity) <= 10_000);
});

test('no gauge of the catalogue is summed where a sum says nothing', () => {
  const summed = Object.values<MetricDescriptor>(metricCatalogue)
    .filter(({ type, across = 'sum' }) => (type === 'gauge' || type === 'info') && across === 'sum')
    .map(({ name }) => name);
  assert.deepEqual(summed.toSorted(), [
    'process_open_fds',
    'process_resident_memory_bytes',
    's3eg_crypto_busy_slots',
    's3eg_crypto_threads',
    's3eg_held_bytes',
    's3eg_requests_in_flight',
    's3eg_workers',
  ]);
});
