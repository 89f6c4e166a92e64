import { isOtherGateway, reference, subject, type Figure, type Sample } from './results.ts';
import { spreadOf, type Spread } from './statistics.ts';

/** How a figure is written: name with unit, and what its value is multiplied by. */
const forms: Readonly<Partial<Record<Figure, readonly [label: string, factor: number]>>> = {
  cpuSecondsPerGb: ['CPU, s/GB', 1],
  cpuMsPerRequest: ['CPU, ms/request', 1],
  kernelShare: ['of it in the kernel, %', 100],
  bytesPerSecond: ['MB/s', 1e-6],
  requestsPerSecond: ['requests/s', 1],
  p50Ms: ['p50, ms', 1],
  p99Ms: ['p99, ms', 1],
  firstByteP50Ms: ['first byte p50, ms', 1],
  firstByteP99Ms: ['first byte p99, ms', 1],
  peakMemoryBytes: ['peak RSS, MiB', 2 ** -20],
  firstBackendRequests: ['backend requests, first', 1],
  backendRequests: ['backend requests, then', 1],
  readBytesPerRequest: ['read, KiB/request', 2 ** -10],
  elapsedMs: ['s', 1e-3],
  memoryBytesPerMinute: ['RSS growth, MiB/min', 2 ** -20],
};

const large = ['cpuSecondsPerGb', 'kernelShare', 'bytesPerSecond', 'peakMemoryBytes'] as const;
const alone = ['firstByteP50Ms', 'cpuSecondsPerGb', 'bytesPerSecond'] as const;
const range = ['p50Ms', 'p99Ms', 'cpuMsPerRequest', 'readBytesPerRequest'] as const;
const small = ['cpuMsPerRequest', 'kernelShare', 'requestsPerSecond', 'peakMemoryBytes'] as const;

/** What is shown of a load, by the beginning of its name. */
const shownOf: readonly (readonly [string, readonly Figure[]])[] = [
  ['32 MiB', large],
  ['4 KiB', small],
  ['segments: range', range],
  ['segments embedded: range', range],
  ['segments: lone', alone],
  ['segments embedded: lone', alone],
  ['segments', ['cpuSecondsPerGb', 'bytesPerSecond', 'peakMemoryBytes']],
  ['64 KiB range', ['p50Ms', 'p99Ms', 'cpuMsPerRequest', 'firstBackendRequests', 'backendRequests']],
  ['first byte', ['firstByteP50Ms', 'firstByteP99Ms', 'cpuMsPerRequest']],
  ['slow line', ['bytesPerSecond', 'p50Ms', 'p99Ms']],
  ['one ', ['bytesPerSecond', 'cpuSecondsPerGb', 'peakMemoryBytes']],
  ['64 ', ['peakMemoryBytes', 'bytesPerSecond', 'elapsedMs']],
  ['soak', ['memoryBytesPerMinute', 'peakMemoryBytes', 'elapsedMs']],
  ['listing', ['cpuMsPerRequest', 'p50Ms']],
];

/** A value with three digits, or as a whole number. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toPrecision(size < 0.01 ? 1 : 3);
}

/** `median (lower–upper quartile)`, each multiplied by `factor`. */
export function shownSpread({ median, lowerQuartile, upperQuartile, count }: Spread, factor = 1): string {
  const middle = shown(median * factor);
  return count < 2 ? middle : `${middle} (${shown(lowerQuartile * factor)}–${shown(upperQuartile * factor)})`;
}

/** The values of a figure over all rounds. */
export function valuesOf(samples: readonly Sample[], load: string, target: string, figure: Figure): number[] {
  return samples.flatMap((sample) => {
    const value = sample.load === load && sample.target === target ? sample.figures[figure] : undefined;
    return value === undefined ? [] : [value];
  });
}

/** Pairs of a figure of two targets, of the same round each. */
function pairsOf(
  samples: readonly Sample[],
  load: string,
  figure: Figure,
  [first, second]: readonly [target: string, other: string],
): readonly (readonly [number, number])[] {
  const of = (target: string): ReadonlyMap<number, number | undefined> =>
    new Map(
      samples
        .filter((sample) => sample.load === load && sample.target === target)
        .map(({ round, figures }) => [round, figures[figure]]),
    );
  const others = of(second);
  return [...of(first)].flatMap(([round, value]) => {
    const other = others.get(round);
    return value === undefined || other === undefined ? [] : [[value, other] as const];
  });
}

/** Ratios of a figure of one target to another's, of the same round each. */
export function ratiosOf(
  samples: readonly Sample[],
  load: string,
  figure: Figure,
  targets: readonly [target: string, other: string],
): readonly number[] {
  return pairsOf(samples, load, figure, targets).map(([value, other]) => value / other);
}

/** Differences of a figure of one target and another's, of the same round each. */
export function differencesOf(
  samples: readonly Sample[],
  load: string,
  figure: Figure,
  targets: readonly [target: string, other: string],
): readonly number[] {
  return pairsOf(samples, load, figure, targets).map(([value, other]) => value - other);
}

/** Tables in Markdown, one for each set of targets: the figures of each load, and the gateway's ratio to MinIO. */
export function tables(samples: readonly Sample[]): string {
  const loads = [...new Set(samples.map(({ load }) => load))];
  const targetsOf = (load: string): string =>
    [...new Set(samples.filter((sample) => sample.load === load).map(({ target }) => target))]
      .toSorted(byRole)
      .join('\n');
  const groups = Map.groupBy(loads, targetsOf);
  return [...groups].map(([targets, group]) => table(samples, group, targets.split('\n'))).join('\n\n');
}

function table(samples: readonly Sample[], loads: readonly string[], targets: readonly string[]): string {
  const heads = ['load', 'figure', ...targets, ...comparisons(targets).map((pair) => pair.join(' / '))];
  const rows = loads.flatMap((load) =>
    figuresOf(samples, load).map((figure) => [load, ...row(samples, load, figure, targets)]),
  );
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function row(samples: readonly Sample[], load: string, figure: Figure, targets: readonly string[]): readonly string[] {
  const [label = figure, factor = 1] = forms[figure] ?? [];
  return [
    label,
    ...targets.map((target) => shownSpread(spreadOf(valuesOf(samples, load, target, figure)), factor)),
    ...comparisons(targets).map((pair) => shownSpread(spreadOf(ratiosOf(samples, load, figure, pair)))),
  ];
}

/** Each target with the reference, and this gateway with that of another checkout. */
function comparisons([first = '', ...others]: readonly string[]): readonly (readonly [string, string])[] {
  return others.map((target) => (isOtherGateway(target) ? [subject, target] : [target, first]));
}

function figuresOf(samples: readonly Sample[], load: string): readonly Figure[] {
  const figures = shownOf.find(([beginning]) => load.startsWith(beginning))?.[1] ?? [];
  return figures.filter((figure) =>
    samples.some((sample) => sample.load === load && sample.figures[figure] !== undefined),
  );
}

/** The reference first, then the gateway of this checkout. */
function byRole(one: string, other: string): number {
  const roles = [reference, subject];
  const place = (target: string): number => (roles.includes(target) ? roles.indexOf(target) : roles.length);
  return place(one) - place(other);
}
