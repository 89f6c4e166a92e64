import { LRUCache } from 'lru-cache';

import { envelopeHeader } from '../envelope/envelope.ts';
import { plaintextSize } from '../envelope/sizes.ts';
import { S3Error } from '../s3/s3-error.ts';
import type { ListedObject, ObjectStore } from '../store/object-store.ts';
import type { BucketRequest } from './gateway.ts';

/** HEAD requests of one listing at a time. */
const concurrentHeads = 16;
const maxCached = 100_000;

/** A state of an object: a version of it, where the listing names one. */
type StoredState = Pick<ListedObject, 'key' | 'etag' | 'sizeBytes'> & { readonly versionId?: string };

/** Whether an object has an envelope, by backend, bucket, key and ETag: a state of an object never changes. */
const encryptedByStore = new WeakMap<ObjectStore, LRUCache<string, boolean>>();

/**
 * Sizes that clients see. Under `unencryptedReads: deny` the stored size alone says it. Where a bucket may also hold
 * objects that are not encrypted, some stored sizes could be either: those objects are asked for, and remembered.
 */
export async function listedSizes(request: BucketRequest, objects: readonly StoredState[]): Promise<readonly number[]> {
  const sizes = objects.map(({ sizeBytes }) => plaintextSize(sizeBytes) ?? sizeBytes);
  if (request.policy.encryption.unencryptedReads === 'deny') return sizes;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < objects.length; index = next++) {
      const object = objects[index];
      if (object === undefined || plaintextSize(object.sizeBytes) === undefined) continue;
      if (!(await isEncrypted(request, object))) sizes[index] = object.sizeBytes;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrentHeads, objects.length) }, worker));
  return sizes;
}

async function isEncrypted(request: BucketRequest, { key, etag, versionId }: StoredState): Promise<boolean> {
  const { store } = request.backend;
  const cache = encryptedByStore.get(store) ?? new LRUCache<string, boolean>({ max: maxCached });
  encryptedByStore.set(store, cache);
  const cacheKey = JSON.stringify([request.bucket, key, etag]);
  const cached = cache.get(cacheKey);
  if (cached !== undefined) return cached;
  try {
    const head = await store.headObject(
      { bucket: request.bucket, key, ...(versionId === undefined ? {} : { versionId }) },
      { signal: request.signal },
    );
    const encrypted = head.headers[envelopeHeader] !== undefined;
    cache.set(cacheKey, encrypted);
    return encrypted;
  } catch (error) {
    // Deleted since it was listed: its size does not matter any more.
    if (error instanceof S3Error && error.status === 404) return true;
    throw error;
  }
}
