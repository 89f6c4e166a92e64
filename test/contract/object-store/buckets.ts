import assert from 'node:assert/strict';
import { put, rejectsWith, startUpload, streamOf, type ContractTest } from './harness.ts';

/** A body of one byte. */
function body() {
  return { body: streamOf(Buffer.from('x')), lengthBytes: 1 };
}

/** Buckets and the store as a whole. */
export const bucketTests: readonly ContractTest[] = [
  {
    name: 'creates, lists, heads and deletes buckets',
    run: async ({ store, bucket, newBucketName }) => {
      const second = newBucketName();
      await store.createBucket(second, {});
      const listed = await store.listBuckets();
      const names = listed.map((entry) => entry.name);
      assert.ok(names.includes(bucket) && names.includes(second));
      assert.deepEqual(names, names.toSorted(), 'buckets come in order of their names');
      for (const { creationDate } of listed) assert.match(creationDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      await store.headBucket(second);
      await store.deleteBucket(second);
      await rejectsWith(store.headBucket(second), 'NoSuchBucket', 404);
      assert.ok(!(await store.listBuckets()).some((entry) => entry.name === second));
    },
  },
  {
    name: 'refuses to create a bucket twice',
    run: async ({ store, bucket }) => {
      await rejectsWith(store.createBucket(bucket, {}), 'BucketAlreadyOwnedByYou', 409);
    },
  },
  {
    name: 'refuses to delete a bucket with objects, and keeps them',
    run: async (context) => {
      await put(context, 'a', 'content');
      await rejectsWith(context.store.deleteBucket(context.bucket), 'BucketNotEmpty', 409);
      assert.equal((await context.store.headObject({ bucket: context.bucket, key: 'a' })).sizeBytes, 7);
    },
  },
  {
    name: 'deletes a bucket with open uploads',
    run: async (context) => {
      const upload = await startUpload(context, 'open');
      await context.store.deleteBucket(context.bucket);
      await context.store.createBucket(context.bucket, {});
      await rejectsWith(context.store.listParts({ bucket: context.bucket, ...upload }), 'NoSuchUpload', 404);
    },
  },
  {
    name: 'names the missing bucket in every operation',
    run: async ({ store, newBucketName }) => {
      const bucket = newBucketName();
      const address = { bucket, key: 'k' };
      const upload = { ...address, uploadId: 'none' };
      const calls: (() => Promise<unknown>)[] = [
        () => store.headBucket(bucket),
        () => store.deleteBucket(bucket),
        () => store.getBucketLocation(bucket),
        () => store.putObject({ ...address, headers: {}, ...body() }),
        () => store.getObject(address),
        () => store.deleteObject(address),
        () => store.deleteObjects({ bucket, objects: [{ key: 'k' }] }),
        () => store.listObjects({ bucket, version: 1 }),
        () => store.listObjects({ bucket, version: 2 }),
        () => store.createUpload({ ...address, headers: {} }),
        () => store.listUploads({ bucket }),
      ];
      for (const call of calls) await rejectsWith(call(), 'NoSuchBucket', 404);
      await assert.rejects(store.uploadPart({ ...upload, partNumber: 1, ...body() }), { status: 404 });
      await assert.rejects(store.headObject(address), { status: 404 });
    },
  },
  {
    name: 'knows the location of a bucket',
    run: async ({ store, bucket }) => {
      assert.equal(typeof (await store.getBucketLocation(bucket)), 'string');
    },
  },
  {
    name: 'is healthy',
    run: async ({ store }) => {
      assert.deepEqual(await store.health(), { ok: true });
    },
  },
];
