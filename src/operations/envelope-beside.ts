import { LRUCache } from 'lru-cache';

import type { Envelope } from '../envelope/envelope.ts';
import { decodeRecord, maxRecordBytes, recordPath } from '../envelope/envelope-record.ts';
import { S3Error } from '../s3/s3-error.ts';
import type { ObjectHead } from '../store/object-store.ts';
import { readSmallObject } from '../store/small-object.ts';
import type { Backend, ObjectRequest } from './gateway.ts';

/** Envelopes held: some 1 500 bytes each. */
const maxCached = 4_096;

/**
 * Envelopes beside versions that were read lately, by the place and the envelope of each. An entry opens nothing but what its
 * secrets prove to be its own.
 */
export class EnvelopesBeside {
  readonly #envelopes = new LRUCache<string, Envelope>({ max: maxCached });

  /** @param own The envelope in the object's metadata, encoded. */
  find(at: ObjectPlace, own: string): Envelope | undefined {
    return this.#envelopes.size === 0 ? undefined : this.#envelopes.get(cacheKey(at, own));
  }

  remember(at: ObjectPlace, own: string, beside: Envelope): void {
    this.#envelopes.set(cacheKey(at, own), beside);
  }

  forget(at: ObjectPlace, own: string): void {
    this.#envelopes.delete(cacheKey(at, own));
  }
}

type ObjectPlace = Pick<ObjectRequest, 'bucket' | 'key'>;

function cacheKey({ bucket, key }: ObjectPlace, own: string): string {
  return JSON.stringify([bucket, key, own]);
}

/** Where an object is stored, and under which version it was asked for. */
export type StoredPlace = Pick<ObjectRequest, 'bucket' | 'key' | 'query' | 'signal'> & {
  readonly backend: Pick<Backend, 'store'>;
};

/**
 * The envelope that a rewrap left beside the version that `head` is of; undefined where there is none. Not authenticated.
 * @throws EnvelopeError for a record that is none; S3Error.
 */
export async function readBeside(
  { bucket, key, query, backend, signal }: StoredPlace,
  reservedPrefix: string,
  head: ObjectHead,
): Promise<Envelope | undefined> {
  const versionId = head.headers['x-amz-version-id'] ?? query.get('versionId') ?? 'null';
  const address = { bucket, key: `${reservedPrefix}${recordPath(key, versionId)}`, maxBytes: maxRecordBytes };
  try {
    const bytes = await readSmallObject(backend.store, address, { signal });
    return bytes === undefined ? undefined : decodeRecord(bytes).envelope;
  } catch (error) {
    // So S3 says that there is none, to credentials that may not list.
    if (error instanceof S3Error && error.status === 403) return undefined;
    throw error;
  }
}
