import { LRUCache } from 'lru-cache';

import type { PartChecksum } from './part-checksum.ts';

/** Parts remembered: some hundred bytes each. */
const maxParts = 50_000;

/** What UploadPart answered. */
export interface KnownPart {
  /** As the client got it. */
  readonly etag: string;
  readonly checksum: PartChecksum | undefined;
}

/**
 * Parts that this replica took, for ListParts, which shows ETags and checksums as UploadPart gave them. Losing an entry
 * loses nothing but that: the bare ETag that is then shown is accepted too.
 */
export class KnownParts {
  readonly #parts = new LRUCache<string, KnownPart>({ max: maxParts });

  remember(part: PartIdentity, known: KnownPart): void {
    this.#parts.set(cacheKey(part), known);
  }

  find(part: PartIdentity): KnownPart | undefined {
    return this.#parts.get(cacheKey(part));
  }
}

/** One attempt of one part, as the backend knows it. */
export interface PartIdentity {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly backendEtag: string;
}

function cacheKey({ uploadId, partNumber, backendEtag }: PartIdentity): string {
  return `${partNumber} ${backendEtag} ${uploadId}`;
}
