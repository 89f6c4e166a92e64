import { Command, Option } from 'commander';

import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import { openKey } from '../wire/keys.ts';
import { printable, type CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { type AuditedStep, CommandAudit, retirementStep, rotationStep } from './command-audit.ts';
import { configOption, type ConfigOption, loadOptions } from './config-option.ts';
import { exitCode, UsageError } from './exit-code.ts';
import { destroyCommand } from './keys/destroy.ts';
import { mustBeTakenUp, nowOption } from './keys/taken-up.ts';
import { recoveryKeypairCommand } from './keys/recovery-keypair.ts';
import { listText, reportKeys, statusText, type OpenProvider } from './keys/key-reports.ts';

interface KeysOptions extends ConfigOption {
  readonly key?: string;
  readonly json?: true;
}

/** `s3eg keys`. */
export function keysCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('keys')
    .description('Key-encryption keys of the configuration.')
    .addCommand(listCommand(io, setExitCode))
    .addCommand(statusCommand(io, setExitCode))
    .addCommand(rotateCommand(io, setExitCode))
    .addCommand(retireCommand(io, setExitCode))
    .addCommand(destroyCommand(io, setExitCode))
    .addCommand(recoveryKeypairCommand(io));
}

function listCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return reportCommand('list', io, setExitCode).description(
    'Lists every version of every key, the current one first, and whether objects under it are read.',
  );
}

function statusCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return reportCommand('status', io, setExitCode).description(
    'Says of every key which version is current, who uses it, and whether its key service answers.',
  );
}

function reportCommand(name: 'list' | 'status', io: CliIo, setExitCode: SetExitCode): Command {
  return new Command(name)
    .option('--key <name>', 'Only this key.')
    .option('--json', 'Print the report as JSON.')
    .addOption(configOption())
    .action(async (options: KeysOptions) => {
      const { settings, open } = await openings(io, options);
      const keys = await reportKeys(settings, open, options.key);
      const ok = keys.every((report) => report.ok);
      const text = name === 'list' ? listText : statusText;
      io.out(options.json === true ? `${JSON.stringify({ ok, keys }, undefined, 2)}\n` : text(keys));
      setExitCode(ok ? exitCode.fine : exitCode.foundProblems);
    });
}

interface RotateOptions extends KeysOptions {
  readonly key: string;
  readonly to?: string;
}

function rotateCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('rotate')
    .description(
      'Makes a new version of a key. Running gateways use it for new objects within seconds (AWS KMS: 5 minutes), and read ' +
        'what is under older ones; "s3eg rewrap" brings old objects under it.',
    )
    .addOption(keyOption())
    .option('--to <key-id>', 'AWS KMS: instead, switch the alias to this key, by its id or ARN.')
    .option('--json', 'Print the outcome as JSON.')
    .addOption(configOption())
    .action(async (options: RotateOptions) => {
      const step = rotationStep(options.key);
      const outcome = await withKey({ io, setExitCode, options }, step, async (provider) => {
        const [previous] = (await provider.describe()).versions;
        return { key: options.key, previous: previous ?? null, current: await rotateKey(provider, options) };
      });
      const { key, previous, current } = outcome;
      if (options.json === true) io.out(`${JSON.stringify(outcome)}\n`);
      else io.out(`${printable(`Rotated key ${key}: version ${current} is current, ${previous ?? 'none'} was.`)}\n`);
    });
}

async function rotateKey(provider: KeyProvider, { key, to }: RotateOptions): Promise<string> {
  if (to !== undefined) {
    if (provider.switchTo === undefined)
      throw new UsageError(`--to is for keys of AWS KMS, which ${printable(key)} is not`);
    return await provider.switchTo(to);
  }
  if (provider.rotate === undefined) throw cannot(key, 'rotate');
  return await provider.rotate();
}

interface RetireOptions extends KeysOptions {
  readonly key: string;
  readonly keyVersion: string;
  readonly now?: true;
}

function retireCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('retire')
    .description(
      'Takes an old version of a key out of use: objects under it are not read any more. An administrator can put it back in ' +
        'the key service. "s3eg rewrap --dry-run" says whether it still protects anything.',
    )
    .addOption(keyOption())
    .requiredOption('--key-version <version>', 'Version to take out of use; never the current one.')
    .addOption(nowOption())
    .option('--json', 'Print the outcome as JSON.')
    .addOption(configOption())
    .action(async (options: RetireOptions) => {
      const { key, keyVersion: version, now } = options;
      await withKey({ io, setExitCode, options }, retirementStep(key, version), async (provider, settings) => {
        if (provider.retire === undefined) throw cannot(key, 'retire versions of');
        if (now !== true) await mustBeTakenUp(provider, version, settings);
        await provider.retire(version);
      });
      if (options.json === true) io.out(`${JSON.stringify({ key, retired: version })}\n`);
      else io.out(`${printable(`Version ${version} of key ${key} is retired.`)}\n`);
    });
}

function keyOption(): Option {
  return new Option('--key <name>', 'Name of the key in the configuration.').makeOptionMandatory();
}

async function openings(
  io: CliIo,
  options: KeysOptions,
): Promise<{ readonly settings: Settings; readonly open: OpenProvider }> {
  const { settings } = await loadSettings(loadOptions(io, options));
  if (options.key !== undefined && !settings.keys.has(options.key)) throw unknownKey(options.key, settings);
  const open: OpenProvider = async (name) => {
    const key = settings.keys.get(name);
    if (key === undefined) throw unknownKey(name, settings);
    return await openKey(name, key, { create: false });
  };
  return { settings, open };
}

async function withKey<T>(
  {
    io,
    setExitCode,
    options,
  }: {
    readonly io: CliIo;
    readonly setExitCode: SetExitCode;
    readonly options: KeysOptions & { readonly key: string };
  },
  step: AuditedStep<T>,
  use: (provider: KeyProvider, settings: Settings) => Promise<T>,
): Promise<T> {
  const { settings, open } = await openings(io, options);
  await using audit = await CommandAudit.open(io, settings);
  const provider = await open(options.key);
  try {
    const result = await audit.step(step, () => use(provider, settings));
    setExitCode(audit.exitCode(exitCode.fine));
    return result;
  } finally {
    await provider.close();
  }
}

function unknownKey(name: string, { keys }: Settings): UsageError {
  return new UsageError(`there is no key "${printable(name)}"; the configuration has ${[...keys.keys()].join(', ')}`);
}

function cannot(name: string, what: string): Error {
  return new Error(`the key service of key "${printable(name)}" does not let the gateway ${what} it: do it there`);
}
