import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { variantOf, type Variant } from './gateway.ts';

/** What `--help` says. */
export const help = `npm run bench -- [options]
  --only A,B         names of scenarios, or parts of names of loads; "all" for those too that take long
  --rounds N         how often each load is measured on each target (default 5, quick 2)
  --quick            less of everything
  --against WHAT     measure another gateway in the same rounds: the folder of a checkout, the runtime bun or
                     node24, or settings in YAML, such as "crypto: { threads: 0 }"
  --settings YAML    for the configuration of every gateway, such as "workers: 2"
  --minutes N        length of the soak (default 10)
  --profile          no measurement: flame graphs, and what the CPU time of each load goes into
  --write-docs       keep the results in docs/performance and make docs/PERFORMANCE.md anew
  --compare          a quick run of the core loads, compared with the baseline; exit code 1 where it is worse
  --from FILE        what an earlier run wrote, instead of a run
  --baseline FILE    another baseline than test/bench/baseline.json
  --write-baseline   make the baseline anew`;

/** Options of the command line. */
export interface BenchOptions {
  readonly only?: string;
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly against?: Variant;
  /** Sections of the configuration, in YAML. */
  readonly settings?: string;
  readonly soakMs: number;
  readonly mode: 'help' | 'measure' | 'profile' | 'compare' | 'write-baseline';
  readonly writesDocs: boolean;
  readonly from?: string;
  readonly baselineFile: string;
}

/** Reads the command line. @throws Error about what it does not know, and about what does not go together */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      against: { type: 'string' },
      settings: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      profile: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      compare: { type: 'boolean', default: false },
      from: { type: 'string' },
      baseline: { type: 'string' },
      'write-baseline': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const mode = (['help', 'compare', 'write-baseline', 'profile'] as const).find((one) => values[one]) ?? 'measure';
  const isCheck = mode === 'compare' || mode === 'write-baseline';
  const isQuick = values.quick || isCheck;
  const only = values.only ?? (isCheck ? 'core' : undefined);
  if (values['write-docs'] && values.against !== undefined) throw new Error('--write-docs does not take --against');
  return {
    ...(only === undefined ? {} : { only }),
    rounds: positive('--rounds', values.rounds ?? (isCheck ? '3' : isQuick ? '2' : '5')),
    isQuick,
    ...(values.against === undefined ? {} : { against: variantOf(values.against) }),
    ...(values.settings === undefined ? {} : { settings: values.settings }),
    soakMs: positive('--minutes', values.minutes) * 60_000,
    mode,
    writesDocs: values['write-docs'],
    ...(values.from === undefined ? {} : { from: values.from }),
    baselineFile: values.baseline ?? resolve(import.meta.dirname, 'baseline.json'),
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} takes a whole number from 1`);
  return value;
}
