import type { MetricDescriptor, MetricFamily, Sample } from './metrics.ts';

/** Series that the totals of ended processes may have for one metric; what would be more is given up. */
const maxRetiredSeries = 10_000;

interface Entry {
  readonly sample: Sample;
  value: number;
}

interface Merged {
  readonly descriptor: MetricDescriptor;
  readonly entries: Map<string, Entry>;
}

/**
 * One exposition of what several processes say: counters and histograms summed, gauges as their descriptor says. Families and
 * samples are in the order in which they first come.
 */
export function mergeFamilies(ofProcesses: Iterable<readonly MetricFamily[]>): MetricFamily[] {
  const merged = new Map<string, Merged>();
  for (const families of ofProcesses) for (const family of families) mergeInto(merged, family);
  return Array.from(merged.values(), ({ descriptor, entries }) => ({
    descriptor,
    samples: Array.from(entries.values(), ({ sample, value }) => ({ ...sample, value })),
  }));
}

function mergeInto(merged: Map<string, Merged>, { descriptor, samples }: MetricFamily): void {
  let family = merged.get(descriptor.name);
  if (family === undefined) merged.set(descriptor.name, (family = { descriptor, entries: new Map() }));
  for (const sample of samples) {
    const id = `${sample.suffix}\u0000${sample.labels.map(([, value]) => value).join('\u0000')}`;
    const entry = family.entries.get(id);
    if (entry === undefined) family.entries.set(id, { sample, value: sample.value });
    else entry.value = joined(descriptor, entry.value, sample.value);
  }
}

function joined({ across = 'sum' }: MetricDescriptor, one: number, other: number): number {
  if (across === 'max') return Math.max(one, other);
  return across === 'min' ? Math.min(one, other) : one + other;
}

/** Totals of processes that are gone: without them a counter would fall when a process ends. */
export class RetiredMetrics {
  #families: readonly MetricFamily[] = [];

  /** What counted in the processes that are gone: no gauges. */
  get families(): readonly MetricFamily[] {
    return this.#families;
  }

  /** A process ended, and this is the last that is known of it. */
  add(last: readonly MetricFamily[]): void {
    const counted = last.filter(({ descriptor: { type } }) => type === 'counter' || type === 'histogram');
    this.#families = mergeFamilies([this.#families, counted]).map(({ descriptor, samples }) => ({
      descriptor,
      samples: samples.slice(0, maxRetiredSeries),
    }));
  }
}
