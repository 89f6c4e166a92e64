import { messageOf } from '../../base/message-of.ts';
import type { ListedVersion, ObjectStore } from '../../store/object-store.ts';
import { ObjectRewrapper, type RewrapChoice, type RewrapKeys } from './object-rewrapper.ts';
import { concurrently, Pace } from './pace.ts';
import { EnvelopeRecords } from './envelope-records.ts';
import { SeenVersions, sweepRecords } from './record-sweep.ts';
import { findGuard, SelfCopy, type CopyGuard } from './self-copy.ts';
import { versionPages, type ListingPosition, type Shard } from './stored-versions.ts';
import { Tally, type RewrapTally } from './tally.ts';
import { uploadKeyVersions } from './upload-records.ts';

/** What to rewrap, and with how much force. */
export interface RewrapJobOptions extends RewrapChoice {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Beginning of the keys; empty: all. */
  readonly prefix: string;
  readonly keys: RewrapKeys;
  /** The gateway's own objects are below it; ends in `/`. */
  readonly reservedPrefix: string;
  /** Bucket of upload records, where it is not the objects' own. */
  readonly ledgerBucket?: string;
  readonly shard?: Shard;
  /** Also look at old versions, to count them. */
  readonly allVersions: boolean;
  readonly concurrency: number;
  /** Objects a second; 0: no limit. */
  readonly ratePerSecond: number;
  /** Longer objects are copied in parts. */
  readonly maxCopyBytes: number;
  /** Copy in one request whatever the backend evaluates: for buckets that nobody writes to. */
  readonly isUnguarded: boolean;
}

/** How far a run is: what a later one needs to go on. */
export interface RewrapPosition {
  readonly next: ListingPosition;
  readonly tally: RewrapTally;
  /** When the first listing began, in milliseconds since the epoch; missing where it is not known. */
  readonly startedMs?: number;
}

/** Who hears of a run. */
export interface RewrapObserver {
  /** An object was looked at; an old version too, where these are rewrapped. */
  seen(key: string, outcome: string): void;
  failed(key: string, error: unknown): void;
  /** Everything up to here is done. */
  position(position: RewrapPosition): Promise<void>;
}

/** What became of a whole run. */
export interface RewrapResult {
  readonly tally: RewrapTally;
  /** When the listing began, in milliseconds since the epoch, 0 where it is not known: what was written later may be missing. */
  readonly startedMs: number;
  /** How copies were guarded against writes that come in between; undefined where nothing was to be copied. */
  readonly guard: CopyGuard | undefined;
}

/**
 * Brings every object of a bucket under the current version of its key. May be stopped and started again at any time: what
 * is current is left alone. What clients write meanwhile stands, and is under the current version anyway.
 * @throws UnguardedError where a write that comes in between could be lost; what the listing throws, KeyError `unavailable` and `denied`, which would meet every object; the signal's reason.
 */
export async function runRewrap(
  options: RewrapJobOptions,
  observer: RewrapObserver,
  { from, signal }: { readonly from?: RewrapPosition | undefined; readonly signal: AbortSignal },
): Promise<RewrapResult> {
  const startedMs = from === undefined ? Date.now() : (from.startedMs ?? 0);
  const guard = options.dryRun ? undefined : await chooseGuard(options, signal);
  const copies = new SelfCopy({ ...options, guard: guard ?? 'none' });
  const records = new EnvelopeRecords(options, options.keys.dataKeys);
  const rewrapper = new ObjectRewrapper({ ...options, copies, records });
  const tally = new Tally(from?.tally);
  const seen = new SeenVersions();
  const step = new RewrapStep(options, { rewrapper, tally, observer, seen });
  for await (const { versions, next } of versionPages({ ...options, from: from?.next }, signal)) {
    await concurrently(versions, options.concurrency, (version) => step.run(version, signal));
    if (next !== undefined) await observer.position({ next, tally: tally.value, startedMs });
  }
  await countUploads(options, tally, signal);
  if (options.rewrapVersions && options.prefix === '') {
    tally.recordsRemoved(await sweepRecords({ ...options, seen }, signal));
  }
  return { tally: tally.value, startedMs, guard };
}

/** The backend evaluates no condition on what a copy replaces. */
class UnguardedError extends Error {}

async function chooseGuard(
  { store, bucket, reservedPrefix, isUnguarded }: RewrapJobOptions,
  signal: AbortSignal,
): Promise<CopyGuard> {
  if (isUnguarded) return 'none';
  const guard = await findGuard({ store, bucket }, `${reservedPrefix}rewrap/`, signal);
  if (guard !== 'none') return guard;
  throw new UnguardedError(
    'the backend evaluates no condition on what a copy replaces, so a write at that very moment would be lost: make sure ' +
      'that nobody writes to the bucket, and give --unguarded',
  );
}

/** Records have no key in their names, so they are counted by the first shard. */
async function countUploads(
  { store, bucket, ledgerBucket = bucket, reservedPrefix, shard }: RewrapJobOptions,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  if (shard !== undefined && shard.index !== 0) return;
  for await (const version of uploadKeyVersions({ store, bucket: ledgerBucket, reservedPrefix }, signal)) {
    tally.count(version, 'uploads');
  }
}

interface StepParts {
  readonly seen: SeenVersions;
  readonly rewrapper: ObjectRewrapper;
  readonly tally: Tally;
  readonly observer: RewrapObserver;
}

/** What is done with one entry of the listing. */
class RewrapStep {
  readonly #looksAtOld: boolean;
  readonly #rewrapsOld: boolean;
  readonly #pace: Pace;
  readonly #parts: StepParts;

  constructor({ allVersions, rewrapVersions, ratePerSecond }: RewrapJobOptions, parts: StepParts) {
    this.#looksAtOld = allVersions || rewrapVersions;
    this.#rewrapsOld = rewrapVersions;
    this.#pace = new Pace(ratePerSecond);
    this.#parts = parts;
  }

  /** @throws the signal's reason, and what would fail every object alike. */
  async run(version: ListedVersion, signal: AbortSignal): Promise<void> {
    const { tally, observer, seen } = this.#parts;
    seen.add(version);
    if (!version.isLatest && !this.#looksAtOld) {
      tally.oldVersionNotLookedAt();
      return;
    }
    await this.#pace.turn(signal);
    try {
      if (version.isLatest) await this.#current(version.key, signal);
      else await this.#old(version, signal);
    } catch (error) {
      if (signal.aborted || concernsAll(error)) throw error;
      const { key, versionId, isLatest } = version;
      const named = { key, ...(isLatest ? {} : { versionId }) };
      tally.fail({ ...named, code: codeOf(error), message: messageOf(error) });
      observer.failed(version.key, error);
    }
  }

  async #current(key: string, signal: AbortSignal): Promise<void> {
    const { rewrapper, tally, observer } = this.#parts;
    const rewrapped = await rewrapper.rewrap(key, signal);
    tally.done(rewrapped);
    observer.seen(key, rewrapped.outcome);
  }

  async #old(version: ListedVersion, signal: AbortSignal): Promise<void> {
    const { rewrapper, tally, observer } = this.#parts;
    const rewrapped = await rewrapper.rewrapOld(version, signal);
    tally.doneOld(rewrapped, this.#rewrapsOld);
    if (this.#rewrapsOld) observer.seen(version.key, rewrapped.outcome);
  }
}

/** A key service that is away or refuses: going on would call every object failed. */
function concernsAll(error: unknown): boolean {
  return ['unavailable', 'denied'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed';
}
