import { createHash } from 'node:crypto';

import type { ListedVersion, ObjectStore } from '../../store/object-store.ts';

/** Part of all keys, by a hash of the key: `index` of 0 … `count` − 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Where a listing goes on. */
export interface ListingPosition {
  readonly keyMarker: string;
  readonly versionIdMarker: string;
}

/** A page of a listing, and where the next one begins; undefined after the last. */
export interface VersionPage {
  readonly versions: readonly ListedVersion[];
  readonly next: ListingPosition | undefined;
}

/** What is listed. */
export interface VersionListing {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly prefix: string;
  /** Keys below it are the gateway's own. */
  readonly reservedPrefix: string;
  readonly shard?: Shard;
  readonly from?: ListingPosition | undefined;
}

/** Every version of every object of a bucket, delete markers and the gateway's own objects left out. */
export async function* versionPages(
  { store, bucket, prefix, reservedPrefix, shard, from }: VersionListing,
  signal?: AbortSignal,
): AsyncGenerator<VersionPage, void, undefined> {
  let position = from;
  do {
    const listed = await store.listVersions(
      { bucket, ...(prefix === '' ? {} : { prefix }), ...markers(position) },
      signal === undefined ? {} : { signal },
    );
    const versions = listed.versions.filter(
      ({ kind, key }) => kind === 'version' && !key.startsWith(reservedPrefix) && isOf(shard, key),
    );
    position = listed.isTruncated
      ? { keyMarker: listed.nextKeyMarker ?? '', versionIdMarker: listed.nextVersionIdMarker ?? '' }
      : undefined;
    yield { versions, next: position };
  } while (position !== undefined);
}

function markers(position: ListingPosition | undefined): Partial<ListingPosition> {
  if (position === undefined) return {};
  const { keyMarker, versionIdMarker } = position;
  return { keyMarker, ...(versionIdMarker === '' ? {} : { versionIdMarker }) };
}

function isOf(shard: Shard | undefined, key: string): boolean {
  if (shard === undefined) return true;
  return createHash('sha256').update(key).digest().readUInt32BE(0) % shard.count === shard.index;
}
