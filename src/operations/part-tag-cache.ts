import { LRUCache } from 'lru-cache';

/** Parts remembered: some hundred bytes each. */
const maxParts = 50_000;

/**
 * Attempt tags of parts that this replica took, for ListParts, which shows ETags as UploadPart gave them. Losing an entry
 * loses nothing: the bare ETag that is then shown is accepted too.
 */
export class PartTagCache {
  readonly #tags = new LRUCache<string, string>({ max: maxParts });

  remember(part: PartIdentity, attemptTag: string): void {
    this.#tags.set(cacheKey(part), attemptTag);
  }

  find(part: PartIdentity): string | undefined {
    return this.#tags.get(cacheKey(part));
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
