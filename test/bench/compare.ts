import { ratiosOf, shown } from './report.ts';
import { reference, subject, type Figure, type Sample } from './results.ts';
import { spreadOf } from './statistics.ts';

/** What the gateway cost once: its ratio to MinIO in each load, which depends little on the machine. */
export interface Baseline {
  readonly commit: string;
  /** So many times the ratio of then is a regression. */
  readonly tolerance: number;
  readonly ratios: Readonly<Record<string, { readonly figure: Figure; readonly ratio: number }>>;
}

/** What a comparison found: a line for each load, and whether one is worse than is tolerated, or missing. */
export interface Comparison {
  readonly lines: readonly string[];
  readonly isWorse: boolean;
}

/** Noise moves the ratios of a quick run by a fifth at most, of a loaded machine by a third. */
const tolerance = 1.5;

/** Compares the loads of `samples` with what they cost at the baseline. */
export function compareWithBaseline(baseline: Baseline, samples: readonly Sample[]): Comparison {
  const rows = Object.entries(baseline.ratios).map(([load, { figure, ratio: before }]) => {
    const now = spreadOf(ratiosOf(samples, load, figure, [subject, reference])).median;
    // NaN, where the load was not run, is not within the limit either.
    const isWithin = now <= before * baseline.tolerance;
    const verdict = isWithin ? 'ok' : Number.isNaN(now) ? 'NOT MEASURED' : 'WORSE';
    const text = `${load}: ${shown(now)} × MinIO, ${shown(before)} at ${baseline.commit}, limit ${shown(before * baseline.tolerance)}`;
    return { line: `${text}: ${verdict}`, isWithin };
  });
  return {
    lines: rows.map(({ line }) => line),
    isWorse: rows.length === 0 || rows.some(({ isWithin }) => !isWithin),
  };
}

/** A baseline of what was just measured: the CPU of each load that MinIO had too. */
export function baselineOf(commit: string, samples: readonly Sample[]): Baseline {
  const loads = [...new Set(samples.map(({ load }) => load))];
  const ratios = loads.flatMap((load) => {
    const figure = load.startsWith('32 MiB') ? 'cpuSecondsPerGb' : 'cpuMsPerRequest';
    const { median } = spreadOf(ratiosOf(samples, load, figure, [subject, reference]));
    return Number.isNaN(median) ? [] : [[load, { figure, ratio: Number(median.toFixed(3)) }] as const];
  });
  return { commit, tolerance, ratios: Object.fromEntries(ratios) };
}
