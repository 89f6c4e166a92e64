import { Command, Option } from 'commander';

import type { CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { CommandAudit, recoveryStep } from './command-audit.ts';
import { configOption, type ConfigOption } from './config-option.ts';
import { exitCode } from './exit-code.ts';
import { DecryptRun, type DecryptSummary } from './offline/decrypt-run.ts';
import { planDecryption, type DecryptOptions } from './offline/decrypt-plan.ts';
import { envelopeOption } from './offline/envelopes-option.ts';
import { keyringOption, openOfflineKeys, recoveryKeyOption } from './offline/keyring-option.ts';
import { byteText } from './byte-text.ts';
import { createProgress } from './progress.ts';
import { signalExitCodes, StopSignals } from './stop-signals.ts';

/** `s3eg decrypt`. */
export function decryptCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('decrypt')
    .description(
      'Decrypts stored objects that were fetched from the provider past the gateway: one file, or a whole directory. ' +
        'Needs no gateway and no network, only the keyring or a recovery key. Everything is verified; a file appears whole or not at all.',
    )
    .argument('<source>', 'File with a stored object, or directory of such files.')
    .requiredOption('--bucket <name>', 'Bucket that the object was stored in.')
    .option('--key <key>', 'Key that the object was stored under. Needed for a file.')
    .option('--prefix <prefix>', 'For a directory: what the keys begin with, before the path; ends in "/".')
    .requiredOption('--output <path>', 'File to write; for a directory the directory to write the tree into.')
    .addOption(
      new Option(
        '--metadata <file>',
        'Metadata of the object, or for a directory the manifest with that of all; "-" is standard input (not for a ' +
          'manifest). Default: SOURCE.metadata.json, for a directory such a file beside each object.',
      ),
    )
    .addOption(
      new Option('--metadata-value <value>', 'The value of x-amz-meta-s3eg, instead of a file.').conflicts('metadata'),
    )
    .addOption(envelopeOption())
    .addOption(keyringOption())
    .addOption(recoveryKeyOption())
    .addOption(configOption())
    .option('--force', 'Replace files that are there.')
    .option('--ignore-metadata', 'Decrypt although user metadata or Content-Type is not what was stored.')
    .option('--json', 'Print the summary as JSON.')
    .action(async (source: string, options: DecryptOptions & ConfigOption & { readonly json?: true }) => {
      setExitCode(await decrypt(io, source, options));
    });
}

async function decrypt(
  io: CliIo,
  source: string,
  options: DecryptOptions & ConfigOption & { readonly json?: true },
): Promise<number> {
  using stop = new StopSignals();
  const plan = await planDecryption(io, source, options);
  await using opened = await openOfflineKeys(io, options);
  const { keys, reservedPrefix } = opened;
  await using audit = await CommandAudit.open(io, opened);
  const quiet = options.json === true;
  const progress = createProgress(io, { title: 'Decrypting', unit: 'bytes', total: plan.totalBytes, quiet });
  const run = new DecryptRun(progress, {
    keys,
    bucket: options.bucket,
    force: options.force === true,
    ignoreMetadata: options.ignoreMetadata === true,
    makeDirectories: plan.isTree,
    signal: stop.signal,
    onRead: (lengthBytes) => progress.advance(lengthBytes),
  });
  const all = async (): Promise<DecryptSummary> => {
    await run.all(plan.items(reservedPrefix));
    return run.summary;
  };
  const step = recoveryStep(options.bucket, () => stop.received !== undefined);
  let summary: DecryptSummary;
  try {
    summary = await (options.recoveryKey === undefined ? all() : audit.step(step, all));
  } finally {
    progress.stop();
  }
  if (quiet) io.out(`${JSON.stringify(jsonOf(summary, stop), undefined, 2)}\n`);
  else io.out(textOf(summary, stop));
  if (stop.received !== undefined) return signalExitCodes[stop.received];
  return audit.exitCode(summary.failures.length === 0 ? exitCode.fine : exitCode.foundProblems);
}

/** Documented in docs/restore.md. */
function jsonOf(summary: DecryptSummary, { received }: StopSignals): Readonly<Record<string, unknown>> {
  const ok = summary.failures.length === 0 && received === undefined;
  return { ok, ...(received === undefined ? {} : { stoppedBy: received }), ...summary };
}

function textOf(summary: DecryptSummary, { received }: StopSignals): string {
  const { decrypted, plaintextBytes, failures, skipped, metadataNotChecked, metadataDiffers } = summary;
  const counts = [
    `Decrypted ${decrypted} ${decrypted === 1 ? 'object' : 'objects'} (${byteText(plaintextBytes)})`,
    ...(failures.length === 0 ? [] : [`${failures.length} failed`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
  ];
  const lines = [
    `${counts.join(', ')}.`,
    ...(metadataNotChecked === 0
      ? []
      : [`User metadata and Content-Type of ${metadataNotChecked} could not be checked; the bytes were.`]),
    ...(metadataDiffers === 0
      ? []
      : [`User metadata or Content-Type of ${metadataDiffers} is not what was stored; the bytes are.`]),
    ...(received === undefined ? [] : [`Stopped by ${received}: the rest was not decrypted.`]),
  ];
  return `${lines.join('\n')}\n`;
}
