import { LRUCache } from 'lru-cache';

import type { SealedChecksum } from '../envelope/envelope.ts';
import type { ObjectLayout } from '../envelope/layout.ts';

/** Where the bytes of one state of an object are, and the headers of its parts that were read so far. */
export interface KnownLayout {
  /** The backend's ETag and the object's commitment: the layout is valid for exactly this state. */
  readonly etag: string;
  readonly commitment: Uint8Array;
  readonly layout: ObjectLayout;
  /** Those of the index. */
  readonly checksums: readonly SealedChecksum[];
  /** FLOE headers by part number. */
  readonly partHeaders: Map<number, Uint8Array>;
}

/** Names an object (or a version of it) in one backend. */
export interface LayoutKey {
  readonly backend: string;
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** Parts in all cached layouts together: some hundred bytes each. */
const maxCachedParts = 100_000;

/**
 * Part tables of objects read lately, so that a range of a multipart object takes one backend request once the object is
 * known. An entry is used only for an answer whose ETag and commitment are its own.
 */
export class LayoutCache {
  readonly #layouts = new LRUCache<string, KnownLayout>({
    maxSize: maxCachedParts,
    sizeCalculation: (known) => known.layout.parts.length,
  });

  find(key: LayoutKey): KnownLayout | undefined {
    return this.#layouts.get(cacheKey(key));
  }

  remember(key: LayoutKey, known: KnownLayout): void {
    this.#layouts.set(cacheKey(key), known);
  }

  forget(key: LayoutKey): void {
    this.#layouts.delete(cacheKey(key));
  }
}

function cacheKey({ backend, bucket, key, versionId }: LayoutKey): string {
  return JSON.stringify([backend, bucket, key, versionId]);
}
