import { setTimeout as delay } from 'node:timers/promises';

import { messageOf } from '../../base/message-of.ts';
import { S3Error } from '../../s3/s3-error.ts';
import type { CallOptions } from '../../store/object-store.ts';
import type { ProbeClient } from './probe.ts';

/** A bucket, or the part of one below a prefix, that a probe worked in. */
export interface UsedPlace {
  readonly client: ProbeClient;
  readonly prefix: string;
  /** Whether the bucket goes too. */
  readonly own: boolean;
  readonly signal: AbortSignal;
}

/** Deletes versions under governance, which only a probe that may do so has put there. */
const bypass = { 'x-amz-bypass-governance-retention': 'true' };

/** A server may still be clearing away an upload that it refused: its bucket is not empty for a moment. */
const pausesMs = [100, 400, 1500, 4000];

/**
 * Removes everything: uploads, versions, objects, and the bucket where it is the probe's own.
 * @returns what is left, and why.
 */
export async function removeAll(place: UsedPlace): Promise<readonly string[]> {
  const { client, own, signal } = place;
  const { store, bucket } = client;
  const left: string[] = [];
  for (const upload of client.begun) await store.abortUpload(upload, { signal }).catch(() => {});
  await attempt(left, `objects below ${bucket}/${place.prefix}`, removeObjects(place));
  if (own) await attempt(left, `bucket ${bucket}`, removeBucket(place));
  return left;
}

async function attempt(left: string[], what: string, removing: Promise<void>): Promise<void> {
  try {
    await removing;
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchBucket') return;
    left.push(`${what}: ${messageOf(error)}`);
  }
}

async function removeBucket(place: UsedPlace): Promise<void> {
  const { client, signal } = place;
  for (const pauseMs of [...pausesMs, undefined]) {
    try {
      await client.store.deleteBucket(client.bucket, { signal });
      return;
    } catch (error) {
      const mayPass = error instanceof S3Error && error.code === 'BucketNotEmpty';
      if (!mayPass || pauseMs === undefined) throw error;
      await delay(pauseMs, undefined, { signal }).catch(() => {
        throw error;
      });
      await removeObjects(place);
    }
  }
}

async function removeObjects({ client, prefix, signal }: UsedPlace): Promise<void> {
  const options = { signal };
  for (const key of client.written)
    await client.store.deleteObject({ bucket: client.bucket, key }, options).catch(() => {});
  await removeVersions(client, prefix, options).catch((error: unknown) => {
    // A backend without versions need not know how to list them.
    if (error instanceof S3Error && error.code === 'NoSuchBucket') throw error;
  });
  const { store, bucket } = client;
  for (;;) {
    const page = await store.listObjects({ bucket, prefix, version: 2 }, options);
    for (const { key } of page.objects) await store.deleteObject({ bucket, key }, options);
    if (page.objects.length === 0 || !page.isTruncated) return;
  }
}

async function removeVersions({ store, bucket }: ProbeClient, prefix: string, options: CallOptions): Promise<void> {
  for (;;) {
    const page = await store.listVersions({ bucket, prefix }, options);
    for (const { key, versionId } of page.versions) {
      await store.deleteObject({ bucket, key, versionId, headers: bypass }, options);
    }
    if (page.versions.length === 0 || !page.isTruncated) return;
  }
}
