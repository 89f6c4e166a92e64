/** What a metric is, said once: the registry, the exposition and the reference page are made from it. */
export interface MetricDescriptor<Label extends string = string> {
  /** Full name as Prometheus shows it; counters end in `_total`, units are base units. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'info';
  readonly help: string;
  readonly labels: readonly Label[];
  /** Upper bounds of a histogram's buckets, rising, without infinity. */
  readonly buckets?: readonly number[];
  /** How the values of several worker processes become one; without it they are summed. */
  readonly across?: 'sum' | 'max' | 'min';
}

/** One line of an exposition: labels in the descriptor's order, `le` last. */
export interface Sample {
  readonly suffix: '' | '_bucket' | '_sum' | '_count';
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly value: number;
}

/** A metric with its samples, ready to be rendered. */
export interface MetricFamily {
  readonly descriptor: MetricDescriptor;
  readonly samples: readonly Sample[];
}

/** Values of a metric's labels; a metric without labels takes `{}`. */
export type LabelValues<Label extends string> = Readonly<Record<Label, string>>;

/** Series that one metric may have; whatever would be more is counted with every label `other`. */
const maxSeries = 1000;
const maxLabelLength = 128;
const overflow = 'other';

interface Series<State> {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly state: State;
}

/** The series of one metric, by the values of the first label, each by the values of the second, and so on. */
interface SeriesNode<State> {
  readonly next: Map<string, SeriesNode<State>>;
  series: Series<State> | undefined;
}

/** The series of one metric, by label values, bounded in number and in length of the values. */
class SeriesTable<Label extends string, State> {
  readonly descriptor: MetricDescriptor<Label>;
  readonly #create: () => State;
  readonly #root: SeriesNode<State> = { next: new Map(), series: undefined };
  readonly #all: Series<State>[] = [];

  constructor(descriptor: MetricDescriptor<Label>, create: () => State) {
    this.descriptor = descriptor;
    this.#create = create;
    // A metric without labels is shown from the start, so that a rate over it has no gap.
    if (descriptor.labels.length === 0) this.#add([]);
  }

  /** Called many times a request: a text made of all values to look them up by would cost more than the rest of it. */
  state(values: LabelValues<Label>): State {
    let node: SeriesNode<State> | undefined = this.#root;
    for (const label of this.descriptor.labels) node = node?.next.get(values[label]);
    return (node?.series ?? this.#unknown(values)).state;
  }

  all(): Iterable<Series<State>> {
    return this.#all;
  }

  #unknown(values: LabelValues<Label>): Series<State> {
    const { labels } = this.descriptor;
    if (this.#all.length < maxSeries) return this.#add(labels.map((label) => values[label]));
    const rest = labels.map(() => overflow);
    return this.#nodeOf(rest).series ?? this.#add(rest);
  }

  #add(values: readonly string[]): Series<State> {
    const labels = this.descriptor.labels.map(
      (label, index) => [label, (values[index] ?? '').slice(0, maxLabelLength)] as const,
    );
    const series = { labels, state: this.#create() };
    this.#nodeOf(values).series = series;
    this.#all.push(series);
    return series;
  }

  #nodeOf(values: readonly string[]): SeriesNode<State> {
    let node = this.#root;
    for (const value of values) {
      const next: SeriesNode<State> = node.next.get(value) ?? { next: new Map(), series: undefined };
      node.next.set(value, next);
      node = next;
    }
    return node;
  }
}

/** A sum that only grows. */
export class Counter<Label extends string = string> {
  readonly #table: SeriesTable<Label, { value: number }>;

  constructor(descriptor: MetricDescriptor<Label>) {
    this.#table = new SeriesTable(descriptor, () => ({ value: 0 }));
  }

  /** Adds `amount`, which must not be negative. */
  add(labels: LabelValues<Label>, amount = 1): void {
    if (!(amount >= 0)) throw new RangeError(`${this.#table.descriptor.name}: a counter cannot fall by ${amount}`);
    this.#table.state(labels).value += amount;
  }

  collect(): MetricFamily {
    return plainFamily(this.#table);
  }
}

/** A value that rises and falls. */
export class Gauge<Label extends string = string> {
  readonly #table: SeriesTable<Label, { value: number }>;

  constructor(descriptor: MetricDescriptor<Label>) {
    this.#table = new SeriesTable(descriptor, () => ({ value: 0 }));
  }

  set(labels: LabelValues<Label>, value: number): void {
    this.#table.state(labels).value = value;
  }

  add(labels: LabelValues<Label>, amount: number): void {
    this.#table.state(labels).value += amount;
  }

  collect(): MetricFamily {
    return plainFamily(this.#table);
  }
}

interface HistogramState {
  /** Observations per bucket, not cumulative; the last one is the rest up to infinity. */
  readonly counts: number[];
  sum: number;
}

/** A distribution over fixed buckets. */
export class Histogram<Label extends string = string> {
  readonly #table: SeriesTable<Label, HistogramState>;
  readonly #bounds: readonly number[];

  constructor(descriptor: MetricDescriptor<Label>) {
    const bounds = descriptor.buckets ?? [];
    this.#bounds = bounds;
    this.#table = new SeriesTable(descriptor, () => ({ counts: Array<number>(bounds.length + 1).fill(0), sum: 0 }));
  }

  observe(labels: LabelValues<Label>, value: number): void {
    const state = this.#table.state(labels);
    let index = 0;
    while (index < this.#bounds.length && value > (this.#bounds[index] ?? 0)) index += 1;
    state.counts[index] = (state.counts[index] ?? 0) + 1;
    state.sum += value;
  }

  collect(): MetricFamily {
    const samples: Sample[] = [];
    for (const { labels, state } of this.#table.all()) {
      let total = 0;
      for (const [index, count] of state.counts.entries()) {
        total += count;
        const bound = this.#bounds[index];
        const le = bound === undefined ? '+Inf' : String(bound);
        samples.push({ suffix: '_bucket', labels: [...labels, ['le', le]], value: total });
      }
      samples.push({ suffix: '_sum', labels, value: state.sum }, { suffix: '_count', labels, value: total });
    }
    return { descriptor: this.#table.descriptor, samples };
  }
}

function plainFamily<Label extends string>(table: SeriesTable<Label, { value: number }>): MetricFamily {
  const samples = Array.from(table.all(), ({ labels, state }) => ({ suffix: '' as const, labels, value: state.value }));
  return { descriptor: table.descriptor, samples };
}

interface Collectable {
  collect(): MetricFamily;
}

/** All metrics of one process. */
export class MetricsRegistry {
  readonly #metrics = new Map<string, Collectable>();
  readonly #beforeCollect: (() => void)[] = [];

  counter<Label extends string>(descriptor: MetricDescriptor<Label>): Counter<Label> {
    return this.#register(descriptor, new Counter(descriptor));
  }

  /** For descriptors of type `gauge` and `info`. */
  gauge<Label extends string>(descriptor: MetricDescriptor<Label>): Gauge<Label> {
    return this.#register(descriptor, new Gauge(descriptor));
  }

  histogram<Label extends string>(descriptor: MetricDescriptor<Label>): Histogram<Label> {
    return this.#register(descriptor, new Histogram(descriptor));
  }

  /** Runs `update` before each collection: for values that are read, not counted. */
  beforeCollect(update: () => void): void {
    this.#beforeCollect.push(update);
  }

  /** Everything, in the order of registration. */
  collect(): MetricFamily[] {
    for (const update of this.#beforeCollect) update();
    return this.peek();
  }

  /** As `collect`, but what is read and not counted is as it was then. */
  peek(): MetricFamily[] {
    return Array.from(this.#metrics.values(), (metric) => metric.collect());
  }

  #register<Metric extends Collectable>(descriptor: MetricDescriptor, metric: Metric): Metric {
    if (this.#metrics.has(descriptor.name)) throw new Error(`metric ${descriptor.name} exists already`);
    this.#metrics.set(descriptor.name, metric);
    return metric;
  }
}
