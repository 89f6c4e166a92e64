import { differencesOf, ratiosOf, valuesOf } from './report.ts';
import { oneCore, reference, subject, type Figure, type Sample } from './results.ts';
import { spreadOf, type Spread } from './statistics.ts';

/** What the gateway shall reach in one load. */
export interface Goal {
  readonly title: string;
  readonly load: string;
  readonly figure: Figure;
  /** Of two targets in one round, or of the gateway alone. */
  readonly kind: 'ratio' | 'difference' | 'value';
  /** What the gateway's figure is set against; default: MinIO's. */
  readonly against?: string;
  readonly limit: number;
  /** The limit is the least, not the most. */
  readonly isLeast?: boolean;
  readonly unit: string;
  /** What the values are multiplied by for that unit. */
  readonly factor?: number;
}

const ofMinio = '× MinIO';
const memory = { kind: 'value', figure: 'peakMemoryBytes', limit: 256, unit: 'MiB', factor: 2 ** -20 } as const;

/** Every goal, in the order in which they are shown. */
export const goals: readonly Goal[] = [
  { ...ratio('32 MiB PUT', 'cpuSecondsPerGb', 0.5), title: '32 MiB PUT, CPU per GB' },
  { ...ratio('32 MiB GET', 'cpuSecondsPerGb', 1.5), title: '32 MiB GET, CPU per GB' },
  { ...ratio('4 KiB PUT', 'cpuMsPerRequest', 0.45), title: '4 KiB PUT, CPU per request' },
  { ...ratio('4 KiB GET', 'cpuMsPerRequest', 0.8), title: '4 KiB GET, CPU per request' },
  { ...ratio('64 KiB range of 1 GiB', 'p50Ms', 1.3), title: '64 KiB range of a 1 GiB object, p50 latency' },
  { ...requests('firstBackendRequests'), title: 'backend requests for the first range of an object' },
  { ...requests('backendRequests'), title: 'backend requests for every other one' },
  {
    ...least(ratio('slow line, 8 MiB PUT', 'bytesPerSecond', 0.8)),
    title: 'PUT on a slow line, rate of 16 connections',
  },
  {
    ...least(ratio('slow line, 8 MiB GET', 'bytesPerSecond', 0.8)),
    title: 'GET on a slow line, rate of 16 connections',
  },
  { ...firstByte(), title: 'first byte of a GET, p50 above direct' },
  { ...memory, load: '64 downloads of 1 GiB', title: 'peak memory of 64 downloads of 1 GiB at once' },
  { ...memory, load: '64 uploads of 1 GiB', title: 'peak memory of 64 uploads of 1 GiB at once' },
  { ...soakGrowth(), title: 'growth of memory in a soak of mixed requests' },
  {
    ...single('one upload of 1 GiB, AES in software'),
    title: 'one upload of 1 GiB where the cipher is the limit, rate',
  },
  {
    ...single('one download of 1 GiB, AES in software'),
    title: 'one download of 1 GiB where the cipher is the limit, rate',
  },
];

type Untitled = Omit<Goal, 'title'>;

function ratio(load: string, figure: Figure, limit: number): Untitled {
  return { load, figure, kind: 'ratio', limit, unit: ofMinio };
}

function least(goal: Untitled): Untitled {
  return { ...goal, isLeast: true };
}

function requests(figure: Figure): Untitled {
  return { load: '64 KiB range of 1 GiB', figure, kind: 'value', limit: 1, unit: 'requests' };
}

function firstByte(): Untitled {
  return { load: 'first byte of 1 MiB', figure: 'firstByteP50Ms', kind: 'difference', limit: 1, unit: 'ms' };
}

function soakGrowth(): Untitled {
  return { load: 'soak', figure: 'memoryBytesPerMinute', kind: 'value', limit: 1, unit: 'MiB/min', factor: 2 ** -20 };
}

function single(load: string): Untitled {
  return least({ ...ratio(load, 'bytesPerSecond', 1.5), against: oneCore, unit: '× one core' });
}

/** What was measured of a goal, in its unit; nothing where its load was not run. */
export function reached(goal: Goal, samples: readonly Sample[], target = subject): Spread | undefined {
  const { load, figure, kind, against = reference, factor = 1 } = goal;
  const values = {
    ratio: () => ratiosOf(samples, load, figure, [target, against]),
    difference: () => differencesOf(samples, load, figure, [target, against]),
    value: () => valuesOf(samples, load, target, figure),
  }[kind]();
  return values.length === 0 ? undefined : spreadOf(values.map((value) => value * factor));
}

/** Whether the median reaches the limit. */
export function isReached({ limit, isLeast = false }: Goal, { median }: Spread): boolean {
  return isLeast ? median >= limit : median <= limit;
}
