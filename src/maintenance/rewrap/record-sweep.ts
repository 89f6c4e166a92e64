import { createHash } from 'node:crypto';

import { EnvelopeError } from '../../envelope/envelope-error.ts';
import { decodeRecord, maxRecordBytes, recordFolder, recordPath } from '../../envelope/envelope-record.ts';
import { S3Error } from '../../s3/s3-error.ts';
import type { CallOptions, ListedVersion } from '../../store/object-store.ts';
import { deleteVersion, readSmallObject } from '../../store/small-object.ts';
import type { RecordPlace, VersionName } from './envelope-records.ts';
import { isOfShard, listedVersions, type Shard } from './stored-versions.ts';

/** Names held at most, some 50 bytes each: what was seen beyond them is looked at once more. */
const maxSeen = 1_000_000;
/** Of a name's digest: two that are alike leave a record standing, no more. */
const seenBytes = 6;

/** Versions that a run has met, so that their records need no look of their own. */
export class SeenVersions {
  readonly #names = new Set<number>();

  add({ key, versionId }: VersionName): void {
    if (this.#names.size < maxSeen) this.#names.add(nameOf(recordPath(key, versionId)));
  }

  has(path: string): boolean {
    return this.#names.has(nameOf(path));
  }
}

function nameOf(path: string): number {
  return createHash('sha256').update(path).digest().readUIntBE(0, seenBytes);
}

/** What is swept. */
export interface SweepOptions extends RecordPlace {
  readonly seen: SeenVersions;
  readonly shard?: Shard;
  /** Count only. */
  readonly dryRun: boolean;
}

/**
 * Removes the records of versions that are gone, and, in a bucket with versions, what stays behind records that were
 * replaced. A record that was deleted in a way that leaves a marker comes back, where its version is still there.
 * @returns how many records were removed, what stayed behind them not counted.
 */
export async function sweepRecords(options: SweepOptions, signal?: AbortSignal): Promise<number> {
  const call = signal === undefined ? {} : { signal };
  const listing = { ...options, prefix: `${options.reservedPrefix}${recordFolder}` };
  let removed = 0;
  let newest = '';
  for await (const { versions } of listedVersions(listing, signal)) {
    for (const version of versions.filter(({ key }) => isRecordOf(options, key))) {
      const isNewest = version.kind === 'version' && version.key !== newest;
      if (isNewest) newest = version.key;
      if (isNewest && !(await isOrphan(options, version, call))) continue;
      if ((await remove(options, version, call)) && isNewest) removed += 1;
    }
  }
  return removed;
}

/** The first half of a record's name is the hash that decides on the shard of its object. */
function isRecordOf({ reservedPrefix, shard }: SweepOptions, name: string): boolean {
  const [, keyHash] =
    /^([0-9a-f]{64})\/[0-9a-f]{64}$/.exec(name.slice(reservedPrefix.length + recordFolder.length)) ?? [];
  return keyHash !== undefined && isOfShard(shard, Buffer.from(keyHash, 'hex'));
}

/** What is no record, or in another's place, is nobody's: it is left alone. */
async function isOrphan(options: SweepOptions, { key, versionId }: ListedVersion, call: CallOptions): Promise<boolean> {
  const { store, bucket, reservedPrefix, seen } = options;
  const path = key.slice(reservedPrefix.length);
  if (seen.has(path)) return false;
  const address = { bucket, key, ...(versionId === 'null' ? {} : { versionId }), maxBytes: maxRecordBytes };
  const bytes = await readSmallObject(store, address, call);
  const version = bytes === undefined ? undefined : versionOf(bytes);
  if (version === undefined || recordPath(version.key, version.versionId) !== path) return false;
  try {
    await store.headObject({ bucket, ...version }, call);
    return false;
  } catch (error) {
    // What is refused for another reason is not known to be gone.
    if (error instanceof S3Error && error.status < 500) return error.status === 404;
    throw error;
  }
}

function versionOf(bytes: Uint8Array): VersionName | undefined {
  try {
    const { key, versionId } = decodeRecord(bytes);
    return { key, versionId };
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined;
    throw error;
  }
}

/** False for one that is locked: it goes when its lock has run out. */
async function remove(options: SweepOptions, { key, versionId }: ListedVersion, call: CallOptions): Promise<boolean> {
  const { store, bucket, dryRun } = options;
  if (dryRun) return true;
  try {
    await deleteVersion(store, { bucket, key, versionId }, call);
    return true;
  } catch (error) {
    if (error instanceof S3Error && error.status === 403) return false;
    throw error;
  }
}
