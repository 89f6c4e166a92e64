import { resolve } from 'node:path';

import { Command, Option } from 'commander';

import type { CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { configOption } from './config-option.ts';
import { exitCode, UsageError } from './exit-code.ts';
import { inspectObject, type InspectTarget } from './inspect/inspect-object.ts';
import { reportText } from './inspect/report-text.ts';
import { envelopeOption } from './offline/envelopes-option.ts';
import { keyringOption, openOfflineKeys, type KeyringOptions } from './offline/keyring-option.ts';

interface InspectOptions extends KeyringOptions {
  readonly metadata?: string;
  readonly metadataValue?: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly json?: true;
}

/** `s3eg inspect`. */
export function inspectCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('inspect')
    .description(
      'Shows what stored objects and their metadata say of themselves, without any key. With --bucket, --key and the ' +
        'keyring also what is sealed: parts and checksums. Never shows secrets.',
    )
    .argument('[files...]', 'Stored objects (with FILE.metadata.json beside them), or metadata documents.')
    .addOption(new Option('--metadata <file>', 'Metadata of the one object; "-" is standard input.'))
    .addOption(new Option('--metadata-value <value>', 'The value of x-amz-meta-s3eg.').conflicts('metadata'))
    .option('--bucket <name>', 'Bucket that the object was stored in, to open what is sealed.')
    .option('--key <key>', 'Key that it was stored under.')
    .addOption(envelopeOption())
    .addOption(keyringOption())
    .addOption(configOption())
    .option('--json', 'Print the reports as JSON.')
    .action(async (files: readonly string[], options: InspectOptions) => {
      setExitCode(await inspect(io, files, options));
    });
}

async function inspect(io: CliIo, files: readonly string[], options: InspectOptions): Promise<number> {
  const targets = targetsOf(io, files, options);
  const place = placeOf(targets, options);
  await using opened = place === undefined ? undefined : await openOfflineKeys(io, options);
  const reports = [];
  for (const target of targets) {
    const unlock = place === undefined || opened === undefined ? undefined : { place, keys: opened.keys };
    reports.push(await inspectObject(target, unlock));
  }
  if (options.json === true) io.out(`${JSON.stringify(reports, undefined, 2)}\n`);
  else io.out(reports.map(reportText).join('\n'));
  return reports.every(({ problems }) => problems.length === 0) ? exitCode.fine : exitCode.foundProblems;
}

function targetsOf(io: CliIo, files: readonly string[], options: InspectOptions): readonly InspectTarget[] {
  const { metadata, metadataValue } = options;
  const isGiven = metadata !== undefined || metadataValue !== undefined;
  if (files.length === 0 && !isGiven) throw new UsageError('give the file of an object, or --metadata');
  if (files.length > 1 && isGiven) throw new UsageError('metadata is that of one object: give one file');
  const given = {
    ...(metadata === undefined ? {} : { metadata: metadata === '-' ? '-' : resolve(io.cwd, metadata) }),
    ...(metadataValue === undefined ? {} : { metadataValue }),
  };
  if (files.length === 0) return [given];
  return files.map((file) => ({ file: resolve(io.cwd, file), ...given }));
}

function placeOf(targets: readonly InspectTarget[], { bucket, key, keyring, envelope }: InspectOptions) {
  if (bucket === undefined && key === undefined) {
    if (envelope !== undefined) throw new UsageError('--envelope opens nothing without --bucket and --key');
    if (keyring !== undefined) throw new UsageError('--keyring opens nothing without --bucket and --key');
    return undefined;
  }
  if (bucket === undefined || key === undefined) throw new UsageError('--bucket and --key go together');
  if (targets.length > 1) throw new UsageError('--key is that of one object: give one file');
  return { bucket, key };
}
