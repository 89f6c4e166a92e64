import { InvalidArgumentError, Option, type Command } from 'commander';

import { maxSingleCopyBytes } from '../../maintenance/rewrap/self-copy.ts';
import { configOption, type ConfigOption } from '../config-option.ts';

/** Options of `rewrap`, understood. */
export interface RewrapOptions extends ConfigOption {
  readonly bucket: string;
  readonly prefix: string;
  readonly backend?: string;
  readonly from?: { readonly keyName: string; readonly keyVersion?: string };
  readonly to?: string;
  readonly dryRun?: true;
  readonly shard?: { readonly index: number; readonly count: number };
  readonly allVersions?: true;
  readonly rewrapVersions?: true;
  readonly rate: number;
  readonly concurrency: number;
  readonly state?: string;
  readonly partsAbove: number;
  readonly unguarded?: true;
  readonly json?: true;
}

/** The command with its options, and without an action. */
export function rewrapOptions(command: Command): Command {
  return command
    .requiredOption('--bucket <name>', 'Bucket whose objects are rewrapped.')
    .option('--prefix <prefix>', 'Only keys that begin so.', '')
    .option('--backend <name>', 'Only in this backend; default: every one that a policy keeps the bucket in.')
    .addOption(
      new Option(
        '--from <key[:version]>',
        'Only objects under this key, or this version of it; default: all that are not under a current version.',
      ).argParser(keyAndVersion),
    )
    .option('--to <key>', 'Bring them under the current version of this key; default: of the key that each is under.')
    .option('--dry-run', 'Change nothing; count what there is under each version.')
    .addOption(
      new Option(
        '--shard <i/n>',
        'Only the i-th of n parts of all keys, counted from 0, for several at once. Their counts add up.',
      ).argParser(shard),
    )
    .option('--all-versions', 'Look at old versions too, and count them.')
    .option(
      '--rewrap-versions',
      'Rewrap old versions too: no provider lets their metadata be changed, so each gets a new envelope beside it. Removes ' +
        'those of versions that are gone.',
    )
    .addOption(
      new Option('--rate <objects>', 'Objects a second at most; 0: no limit.').argParser(number(0, 1e6)).default(0),
    )
    .addOption(new Option('--concurrency <objects>', 'Objects at once at most.').argParser(number(1, 256)).default(8))
    .option('--state <file>', 'Keep how far it is in this file, and go on from there; removed at the end.')
    .addOption(
      new Option('--parts-above <bytes>', 'Copy longer objects in parts; 5 GiB is the most that S3 copies at once.')
        .argParser(number(5 * 1024 ** 2, maxSingleCopyBytes))
        .default(maxSingleCopyBytes, '5 GiB'),
    )
    .option(
      '--unguarded',
      'Copy metadata only although the backend guards copies against no write that comes in between: for buckets that ' +
        'nobody writes to meanwhile.',
    )
    .addOption(configOption())
    .option('--json', 'Print the summary as JSON.');
}

function keyAndVersion(value: string): { readonly keyName: string; readonly keyVersion?: string } {
  const [, keyName, keyVersion] = /^([A-Za-z0-9._-]{1,64})(?::([\x21-\x7e]{1,128}))?$/.exec(value) ?? [];
  if (keyName === undefined) throw new InvalidArgumentError('Must be KEY or KEY:VERSION.');
  return { keyName, ...(keyVersion === undefined ? {} : { keyVersion }) };
}

function shard(value: string): { readonly index: number; readonly count: number } {
  const [, index = Number.NaN, count = Number.NaN] = (/^(\d{1,5})\/(\d{1,5})$/.exec(value) ?? []).map(Number);
  if (!(count >= 1 && index < count)) throw new InvalidArgumentError('Must be i/n with i from 0 to n - 1.');
  return { index, count };
}

function number(min: number, max: number): (value: string) => number {
  return (value) => {
    const parsed = Number(value);
    if (/^\d+(?:\.\d+)?$/.test(value) && parsed >= min && parsed <= max) return parsed;
    throw new InvalidArgumentError(`Must be a number from ${min} to ${max}.`);
  };
}
