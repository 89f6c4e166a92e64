import { access, constants } from 'node:fs/promises';
import { resolve } from 'node:path';

import { Command } from 'commander';

import { loadSettings } from '../config/load.ts';
import { cryptoInUse } from '../crypto/crypto-in-use.ts';
import { ConfigError, type ConfigProblem, formatProblem } from '../config/problem.ts';
import { findRisks } from './check/risks.ts';
import { describeServed, servedText, type Served } from './check/served.ts';
import { checkStart } from './check/start-checks.ts';
import { printable, type CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { configOption, type ConfigOption, loadOptions } from './config-option.ts';
import { exitCode } from './exit-code.ts';
import { applyHardwareSetting } from './hardware-setting.ts';

interface CheckOptions extends ConfigOption {
  readonly json?: true;
}

/** What `--json` prints. */
interface CheckReport {
  readonly ok: boolean;
  /** What keeps the gateway from starting. */
  readonly problems: readonly ConfigProblem[];
  /** What works but is risky or was hardly meant. */
  readonly warnings: readonly string[];
  /** What would be served; missing where the configuration cannot be used. */
  readonly served?: Served;
}

/** `s3eg check`. */
export function checkCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('check')
    .description(
      'Checks configuration and policies: prints every mistake with its place, warns of risky settings, and says what ' +
        'would be served. Starts nothing, makes no file, and asks neither provider nor key service.',
    )
    .addOption(configOption())
    .option('--json', 'Print the report as JSON.')
    .action(async (options: CheckOptions) => {
      const report = await check(io, options);
      io.out(options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(report));
      setExitCode(report.ok ? exitCode.fine : exitCode.foundProblems);
    });
}

async function check(io: CliIo, options: CheckOptions): Promise<CheckReport> {
  await mustBeReadable(io, options);
  try {
    const { settings, warnings } = await loadSettings(loadOptions(io, options));
    applyHardwareSetting(settings.crypto);
    const start = await checkStart(settings);
    return {
      ok: start.problems.length === 0,
      problems: start.problems,
      warnings: [...warnings, ...findRisks(settings), ...start.warnings],
      served: describeServed(settings, { ...start, crypto: cryptoInUse(settings.crypto) }),
    };
  } catch (error) {
    if (error instanceof ConfigError) return { ok: false, problems: error.problems, warnings: [] };
    throw error;
  }
}

/** A file that cannot be read at all is no mistake in it: nothing was checked. */
async function mustBeReadable({ env, cwd }: CliIo, { config }: ConfigOption): Promise<void> {
  const file = config ?? env['S3EG_CONFIG'];
  if (file === undefined || file === '') return;
  try {
    await access(resolve(cwd, file), constants.R_OK);
  } catch (error) {
    throw new Error(`cannot read ${file}`, { cause: error });
  }
}

function textOf({ problems, warnings, served }: CheckReport): string {
  const lines = [
    ...problems.map((problem) => `mistake  ${printable(formatProblem(problem))}`),
    ...warnings.map((warning) => `warning  ${printable(warning)}`),
  ];
  if (served !== undefined) lines.push(...(lines.length === 0 ? [] : ['']), ...servedText(served).map(printable));
  const count =
    problems.length === 0 ? 'No mistakes' : problems.length === 1 ? '1 mistake' : `${problems.length} mistakes`;
  const warned = warnings.length === 0 ? '' : `, ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`;
  return `${[...lines, '', `${count}${warned}.`].join('\n').trimStart()}\n`;
}
