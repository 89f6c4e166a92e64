import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { expositionContentTypes, negotiateExposition, renderExposition } from '../../../src/telemetry/exposition.ts';
import { metricCatalogue } from '../../../src/telemetry/metric-catalogue.ts';
import { type MetricDescriptor, MetricsRegistry } from '../../../src/telemetry/metrics.ts';
import { registerProcessMetrics } from '../../../src/telemetry/process-metrics.ts';

const jobs = {
  name: 't_jobs_total',
  type: 'counter',
  help: 'Jobs by "kind"\\state\nand more.',
  labels: ['kind'],
} as const satisfies MetricDescriptor;

function sample(): MetricsRegistry {
  const registry = new MetricsRegistry();
  registry.gauge({ name: 't_build_info', type: 'info', help: 'Build.', labels: ['version'] }).set({ version: '1' }, 1);
  const counter = registry.counter(jobs);
  counter.add({ kind: 'a"\\\n' });
  counter.add({ kind: 'a"\\\n' }, 2.5);
  registry.gauge({ name: 't_level', type: 'gauge', help: 'Level.', labels: [] }).add({}, -3);
  const seconds = registry.histogram({
    name: 't_seconds',
    type: 'histogram',
    help: 'Time.',
    labels: ['op'],
    buckets: [0.5, 1],
  });
  for (const value of [0.25, 0.5, 0.75, 8]) seconds.observe({ op: 'x' }, value);
  return registry;
}

test('Prometheus text', () => {
  assert.equal(
    renderExposition(sample().collect(), 'prometheus'),
    `# HELP t_build_info Build.
# TYPE t_build_info gauge
t_build_info{version="1"} 1
# HELP t_jobs_total Jobs by "kind"\\\\state\\nand more.
# TYPE t_jobs_total counter
t_jobs_total{kind="a\\"\\\\\\n"} 3.5
# HELP t_level Level.
# TYPE t_level gauge
t_level -3
# HELP t_seconds Time.
# TYPE t_seconds histogram
t_seconds_bucket{op="x",le="0.5"} 2
t_seconds_bucket{op="x",le="1"} 3
t_seconds_bucket{op="x",le="+Inf"} 4
t_seconds_sum{op="x"} 9.5
t_seconds_count{op="x"} 4
`,
  );
});

test('OpenMetrics text', () => {
  assert.equal(
    renderExposition(sample().collect(), 'openmetrics'),
    `# HELP t_build Build.
# TYPE t_build info
t_build_info{version="1"} 1
# HELP t_jobs Jobs by \\"kind\\"\\\\state\\nand more.
# TYPE t_jobs counter
t_jobs_total{kind="a\\"\\\\\\n"} 3.5
# HELP t_level Level.
# TYPE t_level gauge
t_level -3
# HELP t_seconds Time.
# TYPE t_seconds histogram
t_seconds_bucket{op="x",le="0.5"} 2
t_seconds_bucket{op="x",le="1.0"} 3
t_seconds_bucket{op="x",le="+Inf"} 4
t_seconds_sum{op="x"} 9.5
t_seconds_count{op="x"} 4
# EOF
`,
  );
});

test('one format does not change what the other shows later', () => {
  const registry = sample();
  const before = renderExposition(registry.collect(), 'prometheus');
  renderExposition(registry.collect(), 'openmetrics');
  assert.equal(renderExposition(registry.collect(), 'prometheus'), before);
});

test('the format follows Accept', () => {
  const open = expositionContentTypes.openmetrics;
  for (const [accept, format] of [
    [undefined, 'prometheus'],
    ['*/*', 'prometheus'],
    ['text/plain', 'prometheus'],
    [open, 'openmetrics'],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4', 'openmetrics'],
    ['application/openmetrics-text;q=0.3, text/plain;q=0.4', 'prometheus'],
    ['application/openmetrics-text;q=0', 'prometheus'],
    ['application/openmetrics-text;q=x', 'prometheus'],
  ] as const) {
    assert.equal(negotiateExposition(accept), format, String(accept));
  }
});

test('a counter never falls', () => {
  const counter = new MetricsRegistry().counter(jobs);
  assert.throws(() => counter.add({ kind: 'a' }, -1), RangeError);
  assert.throws(() => counter.add({ kind: 'a' }, Number.NaN), RangeError);
});

test('series are bounded: what is too many is counted as other, and nothing is lost', () => {
  const registry = new MetricsRegistry();
  const counter = registry.counter(jobs);
  for (let index = 0; index < 5000; index += 1) counter.add({ kind: `k${index}` });
  counter.add({ kind: 'x'.repeat(10_000) });
  const [family] = registry.collect();
  assert.ok(family !== undefined);
  assert.ok(family.samples.length <= 1001);
  assert.equal(
    family.samples.reduce((sum, { value }) => sum + value, 0),
    5001,
  );
  const text = renderExposition([family], 'prometheus');
  assert.match(text, /\{kind="other"\} 4001\n/);
});

test('label values cannot break out of their line', () => {
  fc.assert(
    fc.property(fc.string(), (kind) => {
      const registry = new MetricsRegistry();
      registry.counter(jobs).add({ kind });
      const lines = renderExposition(registry.collect(), 'prometheus').trimEnd().split('\n');
      assert.equal(lines.length, 3);
      assert.match(lines[2] ?? '', /^t_jobs_total\{kind="(?:[^"\\]|\\[\\"n])*"\} 1$/s);
    }),
  );
});

test('a histogram counts each observation once, in the first bucket that holds it', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 3, noNaN: true })), (values) => {
      const registry = new MetricsRegistry();
      const bounds = [0.5, 1, 2];
      const histogram = registry.histogram({ name: 'h', type: 'histogram', help: '', labels: [], buckets: bounds });
      for (const value of values) histogram.observe({}, value);
      const samples = registry.collect()[0]?.samples ?? [];
      const counts = samples.filter(({ suffix }) => suffix === '_bucket').map(({ value }) => value);
      const expected = [...bounds, Number.POSITIVE_INFINITY].map((le) => values.filter((value) => value <= le).length);
      assert.deepEqual(counts, expected);
    }),
  );
});

test('a name is registered once', () => {
  const registry = new MetricsRegistry();
  registry.counter(jobs);
  assert.throws(() => registry.counter(jobs), /exists already/);
});

test('the catalogue keeps to the naming rules', () => {
  const names = Object.values(metricCatalogue).map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const descriptor of Object.values<MetricDescriptor>(metricCatalogue)) {
    assert.match(descriptor.name, /^(s3eg|process)_[a-z_]+$/);
    assert.equal(descriptor.name.endsWith('_total'), descriptor.type === 'counter', descriptor.name);
    assert.match(descriptor.help, /\.$/);
    assert.doesNotMatch(descriptor.name, /_(ms|milliseconds|kib|mb)\b/);
    const buckets = descriptor.buckets ?? [];
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a - b),
    );
    assert.equal(buckets.length > 0, descriptor.type === 'histogram');
  }
});

test('process metrics are there at the first scrape', () => {
  const registry = new MetricsRegistry();
  using _ = registerProcessMetrics(registry, { heldBytes: 4096 });
  const values = new Map(registry.collect().map(({ descriptor, samples }) => [descriptor.name, samples[0]?.value]));
  assert.ok((values.get('process_resident_memory_bytes') ?? 0) > 1_000_000);
  assert.ok((values.get('process_cpu_seconds_total') ?? 0) > 0);
  assert.ok(Math.abs((values.get('process_start_time_seconds') ?? 0) - Date.now() / 1000) < 3600);
});
