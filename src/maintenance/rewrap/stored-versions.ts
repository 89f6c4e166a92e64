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
  readonly from?: ListingPosition | undefined;
}

/** Which objects of a bucket are meant. */
export interface ObjectListing extends VersionListing {
  /** Keys below it are the gateway's own. */
  readonly reservedPrefix: string;
  readonly shard?: Shard;
}

/** Every version of every object of a bucket, delete markers and the gateway's own objects left out. */
export async function* versionPages(
  listing: ObjectListing,
  signal?: AbortSignal,
): AsyncGenerator<VersionPage, void, undefined> {
  const { reservedPrefix, shard } = listing;
  for await (const { versions, next } of listedVersions(listing, signal)) {
    const isMeant = ({ kind, key }: ListedVersion): boolean =>
      kind === 'version' && !key.startsWith(reservedPrefix) && isOfShard(shard, hashOf(key));
    yield { versions: versions.filter(isMeant), next };
  }
}

/** Every version below a prefix, and every delete marker. */
export async function* listedVersions(
  { store, bucket, prefix, from }: VersionListing,
  signal?: AbortSignal,
): AsyncGenerator<VersionPage, void, undefined> {
  let position = from;
  do {
    const { versions, ...listed } = await store.listVersions(
      { bucket, ...(prefix === '' ? {} : { prefix }), ...markers(position) },
      signal === undefined ? {} : { signal },
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

/** @param hash SHA-256 of a key. */
export function isOfShard(shard: Shard | undefined, hash: Buffer): boolean {
  return shard === undefined || hash.readUInt32BE(0) % shard.count === shard.index;
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
