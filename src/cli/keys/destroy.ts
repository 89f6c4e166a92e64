import { Command, Option } from 'commander';

import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import { DataKeys } from '../../keys/data-keys.ts';
import type { KeyProvider } from '../../keys/key-provider.ts';
import { runRewrap, type RewrapObserver } from '../../maintenance/rewrap/rewrap-job.ts';
import { maxSingleCopyBytes } from '../../maintenance/rewrap/self-copy.ts';
import type { UnderVersion } from '../../maintenance/rewrap/tally.ts';
import { openStores, type OpenedStores } from '../../wire/stores.ts';
import { printable, type CliIo } from '../cli-io.ts';
import type { SetExitCode } from '../command.ts';
import { CommandAudit, destructionStep } from '../command-audit.ts';
import { configOption, type ConfigOption, loadOptions } from '../config-option.ts';
import { exitCode, UsageError } from '../exit-code.ts';
import { canariesUnder, moveCanaries, type BucketPlace } from './destroy-canaries.ts';
import { StopSignals } from '../stop-signals.ts';
import { mustBeTakenUp, nowOption } from './taken-up.ts';

interface DestroyOptions extends ConfigOption {
  readonly key: string;
  readonly keyVersion: string;
  readonly bucket?: readonly string[];
  readonly confirm?: string;
  readonly ignoreFailures?: true;
  readonly now?: true;
  readonly json?: true;
}

/** What becomes unreadable in one bucket. */
interface Lost extends Pick<UnderVersion, 'objects' | 'oldVersions' | 'uploads'> {
  readonly backend: string;
  readonly bucket: string;
  /** Objects that could not be looked at: what they are under is not known. */
  readonly failed: number;
}

/** What `--json` prints. */
interface DestroyReport {
  readonly key: string;
  readonly keyVersion: string;
  readonly destroyed: boolean;
  readonly buckets: readonly Lost[];
  readonly total: Pick<Lost, 'objects' | 'oldVersions' | 'uploads' | 'failed'>;
  /** Buckets whose canary is under it, or was: it is moved to the current version before anything is destroyed. */
  readonly canaries: readonly BucketPlace[];
  /** Whether a recovery key is configured, which opens objects nevertheless. */
  readonly hasRecoveryKey: boolean;
}

/** `s3eg keys destroy`. */
export function destroyCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('destroy')
    .description(
      'Destroys an old version of a key, so that nobody ever reads again what is under it (crypto-erase). Without --confirm ' +
        'nothing is destroyed: it counts what would become unreadable.',
    )
    .requiredOption('--key <name>', 'Name of the key in the configuration.')
    .requiredOption('--key-version <version>', 'Version to destroy; never the current one: rotate first.')
    .addOption(
      new Option(
        '--bucket <name>',
        'Count in this bucket; may be repeated. Default: every bucket of every backend.',
      ).argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]),
    )
    .option('--confirm <key:version>', 'Destroy it: the key and version once more.')
    .option(
      '--ignore-failures',
      'Destroy it although objects could not be looked at, or a canary could not be moved to the current version.',
    )
    .addOption(nowOption())
    .option('--json', 'Print the report as JSON.')
    .addOption(configOption())
    .action(async (options: DestroyOptions) => {
      const report = await destroy(io, options, setExitCode);
      io.out(options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report));
    });
}

async function destroy(io: CliIo, options: DestroyOptions, setExitCode: SetExitCode): Promise<DestroyReport> {
  const { key, keyVersion, confirm } = options;
  if (confirm !== undefined && confirm !== `${key}:${keyVersion}`) {
    throw new UsageError(`--confirm must be ${printable(`${key}:${keyVersion}`)} to destroy that version`);
  }
  using stop = new StopSignals();
  const { settings } = await loadSettings(loadOptions(io, options));
  await using audit = await CommandAudit.open(io, settings);
  await using opened = await openStores(settings);
  const provider = opened.keys.get(key);
  if (provider === undefined) throw new UsageError(`there is no key "${printable(key)}"`);
  if (provider.destroy === undefined) {
    throw new Error(
      `the key service of key "${printable(key)}" does not let the gateway destroy versions: do it there`,
    );
  }
  await mustBeOld(provider, keyVersion);
  if (confirm !== undefined && options.now !== true) await mustBeTakenUp(provider, keyVersion, settings);
  const buckets: Lost[] = [];
  for (const place of await placesOf(opened, options.bucket)) {
    buckets.push(await countIn(place, { opened, settings, key, keyVersion, signal: stop.signal }));
  }
  const total = totalOf(buckets);
  const places = await placesOf(opened, undefined);
  const canaries = await canariesUnder({ opened, settings, key, keyVersion, places });
  if (confirm !== undefined) await prepare(options, { opened, failed: total.failed, canaries });
  const { oldVersions: old_versions, ...others } = total;
  const counted = { key_name: key, key_version: keyVersion, ...others, old_versions };
  if (confirm === undefined) await audit.record({ event: 'key_destruction_counted', outcome: 'ok', ...counted });
  else await audit.step(destructionStep(counted), async () => provider.destroy?.(keyVersion));
  setExitCode(audit.exitCode(exitCode.fine));
  const hasRecoveryKey = settings.recoveryPublicKey !== undefined;
  return { key, keyVersion, destroyed: confirm !== undefined, buckets, total, canaries, hasRecoveryKey };
}

interface Preparation {
  readonly opened: OpenedStores;
  readonly failed: number;
  readonly canaries: readonly BucketPlace[];
}

/** Nothing may be lost that nobody counted, and no bucket may be left that no gateway starts with. */
async function prepare(
  { key, ignoreFailures }: DestroyOptions,
  { opened, failed, canaries }: Preparation,
): Promise<void> {
  if (failed > 0 && ignoreFailures !== true) {
    throw new Error(
      `${failed} objects could not be looked at and may be under this version too, so nothing was destroyed. ` +
        '"s3eg rewrap --dry-run --all-versions" names them, bucket by bucket; --ignore-failures destroys it nevertheless',
    );
  }
  try {
    await moveCanaries({ opened, key }, canaries);
  } catch (error) {
    if (ignoreFailures !== true) throw error;
  }
}

/** Before an hour is spent on counting. */
async function mustBeOld(provider: KeyProvider, keyVersion: string): Promise<void> {
  const { versions, retired = [] } = await provider.describe();
  if (versions[0] === keyVersion) throw new UsageError('this is the current version: rotate the key first');
  if (![...versions, ...retired].includes(keyVersion)) throw new UsageError('the key has no such version');
}

async function placesOf(
  { stores }: OpenedStores,
  wanted: readonly string[] | undefined,
): Promise<readonly BucketPlace[]> {
  const places: BucketPlace[] = [];
  for (const [backend, store] of stores) {
    const there = (await store.listBuckets()).map(({ name }) => name);
    places.push(...there.filter((name) => wanted?.includes(name) ?? true).map((bucket) => ({ backend, bucket })));
  }
  const missing = wanted?.find((name) => !places.some(({ bucket }) => bucket === name));
  if (missing !== undefined) throw new UsageError(`no backend has a bucket "${printable(missing)}"`);
  return places;
}

const nobody: RewrapObserver = { seen() {}, failed() {}, position: () => Promise.resolve() };

async function countIn(
  { backend, bucket }: BucketPlace,
  from: {
    readonly opened: OpenedStores;
    readonly settings: Settings;
    readonly key: string;
    readonly keyVersion: string;
    readonly signal: AbortSignal;
  },
): Promise<Lost> {
  const { opened, settings, key, keyVersion, signal } = from;
  const store = opened.stores.get(backend);
  if (store === undefined) throw new Error(`backend ${backend} is not open`);
  const dataKeys = new DataKeys(opened.keys, settings.dataKeyCache);
  const { prefix: reservedPrefix, bucket: ledgerBucket } = settings.multipart;
  try {
    const { tally } = await runRewrap(
      {
        store,
        bucket,
        prefix: '',
        reservedPrefix,
        ...(ledgerBucket === undefined ? {} : { ledgerBucket }),
        // Looks only; nothing is current for it, as it asks for no key service.
        keys: { dataKeys, current: () => Promise.resolve('') },
        dryRun: true,
        allVersions: true,
        rewrapVersions: false,
        concurrency: 16,
        ratePerSecond: 0,
        maxCopyBytes: maxSingleCopyBytes,
        isUnguarded: false,
      },
      nobody,
      { signal },
    );
    const found = tally.under.find((entry) => entry.keyName === key && entry.keyVersion === keyVersion);
    const { objects = 0, oldVersions = 0, uploads = 0 } = found ?? {};
    return { backend, bucket, objects, oldVersions, uploads, failed: tally.failed };
  } finally {
    dataKeys.close();
  }
}

function totalOf(buckets: readonly Lost[]): DestroyReport['total'] {
  const sum = (field: keyof DestroyReport['total']): number => buckets.reduce((total, lost) => total + lost[field], 0);
  return { objects: sum('objects'), oldVersions: sum('oldVersions'), uploads: sum('uploads'), failed: sum('failed') };
}

function reportText({ key, keyVersion, destroyed, buckets, total, canaries, hasRecoveryKey }: DestroyReport): string {
  const lines = [
    ...buckets
      .filter(({ objects, oldVersions, uploads }) => objects + oldVersions + uploads > 0)
      .map((lost) => `${lost.bucket} (backend ${lost.backend}): ${countsText(lost)}`),
    ...(total.failed === 0 ? [] : [`${total.failed} objects could not be looked at, and may be under it too.`]),
    destroyed
      ? `Version ${keyVersion} of key ${key} is destroyed: ${countsText(total)} cannot be read any more.`
      : `Destroying version ${keyVersion} of key ${key} would make unreadable: ${countsText(total)}. ` +
        `Nothing was done: --confirm ${key}:${keyVersion} destroys it.`,
    ...(canaries.length === 0 ? [] : [canariesText(canaries, destroyed)]),
    ...(hasRecoveryKey ? ['Whoever holds the recovery key still opens objects that were written with it.'] : []),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function canariesText(canaries: readonly BucketPlace[], destroyed: boolean): string {
  const where = canaries.map(({ backend, bucket }) => `${bucket} (backend ${backend})`).join(', ');
  return destroyed
    ? `The canaries of these buckets were under it and have been moved to the current version: ${where}.`
    : `The canaries of these buckets are under it and would be moved to the current version first: ${where}.`;
}

function countsText({ objects, oldVersions, uploads }: Pick<Lost, 'objects' | 'oldVersions' | 'uploads'>): string {
  return `${objects} objects, ${oldVersions} old versions, ${uploads} uploads in progress`;
}
