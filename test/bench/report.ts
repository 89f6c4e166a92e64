import type { Sample } from './measure.ts';

type Figure = 'cpuSecondsPerGb' | 'cpuMsPerRequest' | 'bytesPerSecond' | 'requestsPerSecond';

/** Median and best of one figure over all rounds. */
interface Spread {
  readonly median: number;
  readonly best: number;
}

/** Rates are best when high, all other figures when low. */
function spreadOf(samples: readonly Sample[], figure: Figure): Spread {
  const values = samples.map((sample) => sample[figure]).toSorted((a, b) => a - b);
  const middle = values.length / 2;
  const median = ((values[Math.ceil(middle) - 1] ?? Number.NaN) + (values[Math.floor(middle)] ?? Number.NaN)) / 2;
  const best = (figure.endsWith('PerSecond') ? values.at(-1) : values[0]) ?? Number.NaN;
  return { median, best };
}

/** What is shown of one load: large objects by the byte, small ones by the request. */
const columns = {
  large: [
    ['CPU s/GB', 'cpuSecondsPerGb', 1],
    ['MB/s', 'bytesPerSecond', 1e-6],
  ],
  small: [
    ['CPU ms/request', 'cpuMsPerRequest', 1],
    ['requests/s', 'requestsPerSecond', 1],
  ],
} as const;

/** A table in Markdown: for each load and target the figures as `median (best)`, and CPU as a multiple of the reference's. */
export function table(samples: readonly Sample[], reference: string): string {
  const lines = [
    '| load | target | CPU / MinIO’s own, median (best) | CPU, median (best) | rate, median (best) | peak RSS MiB |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  const groups = Map.groupBy(samples, ({ load, target }) => `${load}\n${target}`);
  for (const [id, group] of groups) {
    const [load = '', target = ''] = id.split('\n');
    const [cpu, rate] = (group[0]?.objectBytes ?? 0) < 2 ** 20 ? columns.small : columns.large;
    const own = spreadOf(group, cpu[1]);
    const referenceCpu = spreadOf(groups.get(`${load}\n${reference}`) ?? [], cpu[1]);
    const ratio =
      target === reference
        ? '1'
        : `${shown(own.median / referenceCpu.median)} (${shown(own.best / referenceCpu.best)})`;
    const rates = spreadOf(group, rate[1]);
    const memory = Math.max(...group.map(({ peakMemoryBytes }) => peakMemoryBytes)) / 2 ** 20;
    lines.push(
      `| ${load} | ${target} | ${ratio} | ${shown(own.median)} (${shown(own.best)}) ${cpu[0]} | ` +
        `${shown(rates.median * rate[2])} (${shown(rates.best * rate[2])}) ${rate[0]} | ${memory.toFixed(0)} |`,
    );
  }
  return lines.join('\n');
}

function shown(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
