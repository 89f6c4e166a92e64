import { Command } from 'commander';

import { loadSettings } from '../config/load.ts';
import type { BackendSettings, Settings } from '../config/settings.ts';
import { printable, type CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { configOption, type ConfigOption, loadOptions } from './config-option.ts';
import { doctorText, findingText, type DoctorReport } from './doctor/doctor-text.ts';
import { examineBackend, examineKey, type BackendExamination, type KeyExamination } from './doctor/examine.ts';
import { exitCode, UsageError } from './exit-code.ts';
import { signalExitCodes, StopSignals } from './stop-signals.ts';

interface DoctorOptions extends ConfigOption {
  readonly backend?: string;
  readonly bucket?: string;
  readonly json?: true;
}

/** `s3eg doctor`. */
export function doctorCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('doctor')
    .description(
      'Finds out by real requests what each backend can do and whether each key wraps and unwraps; says what will work, ' +
        'what will not, and what to set. Works in temporary buckets, which it removes again, also when it is stopped.',
    )
    .addOption(configOption())
    .option('--backend <name>', 'Only this backend.')
    .option('--bucket <name>', 'Work below the reserved prefix of this bucket instead: its settings are not touched.')
    .option('--json', 'Print the report as JSON.')
    .action(async (options: DoctorOptions) => setExitCode(await doctor(io, options)));
}

async function doctor(io: CliIo, options: DoctorOptions): Promise<number> {
  using stop = new StopSignals();
  const { settings } = await loadSettings(loadOptions(io, options));
  const backends = chosenBackends(settings, options);
  try {
    const report = await examine(io, options, { settings, backends, signal: stop.signal });
    io.out(options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : doctorText(report));
    return report.ok ? exitCode.fine : exitCode.foundProblems;
  } catch (error) {
    if (stop.received === undefined) throw error;
    const left = error instanceof Error && error.cause !== undefined ? error.message : 'what was made is removed';
    io.err(`s3eg: stopped; ${printable(left)}\n`);
    return signalExitCodes[stop.received];
  }
}

interface Examined {
  readonly settings: Settings;
  readonly backends: readonly (readonly [string, BackendSettings])[];
  readonly signal: AbortSignal;
}

async function examine(
  io: CliIo,
  { bucket }: DoctorOptions,
  { settings, backends, signal }: Examined,
): Promise<DoctorReport> {
  const options = {
    settings,
    signal,
    onFinding: (finding: Parameters<typeof findingText>[0]) => {
      if (io.errIsTerminal) io.err(`${findingText(finding)}\n`);
    },
    ...(bucket === undefined ? {} : { bucket }),
  };
  const keys: KeyExamination[] = [];
  for (const [name, key] of settings.keys) keys.push(await examineKey(name, key, signal));
  const examined: BackendExamination[] = [];
  for (const [name, backend] of backends) examined.push(await examineBackend(name, backend, options));
  const ok = [...keys, ...examined].every(({ problems }) => problems.length === 0);
  return { ok, backends: examined, keys };
}

function chosenBackends(settings: Settings, { backend, bucket }: DoctorOptions): Examined['backends'] {
  if (backend === undefined) {
    if (bucket !== undefined && settings.backends.size > 1) throw new UsageError('--bucket needs --backend');
    return [...settings.backends];
  }
  const found = settings.backends.get(backend);
  if (found === undefined) {
    throw new UsageError(`there is no backend ${backend}; there are: ${[...settings.backends.keys()].join(', ')}`);
  }
  return [[backend, found]];
}
