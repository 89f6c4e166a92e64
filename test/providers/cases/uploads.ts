/** Multipart uploads. */
import assert from 'node:assert/strict';

import { S3CallError, type S3Client } from '../../interop/support/s3-client.ts';
import { digest } from '../../interop/support/workspace.ts';
import { fresh, refused, type Case, type Place } from '../support/case.ts';

const mib = 1024 ** 2;

/** Uploads parts of these sizes, the last one first, and gives all bytes. */
async function upload({ client, bucket }: Place, key: string, sizes: readonly number[]): Promise<Buffer> {
  const parts = sizes.map((size) => fresh(size));
  const open = await client.createUpload(bucket, key, { Metadata: { colour: 'blue' } });
  const done = [];
  for (const [index, part] of [...parts.entries()].toReversed()) {
    done.push(await client.uploadPart(open, index + 1, part));
  }
  assert.deepEqual(
    (await client.listParts(open)).map(({ Size }) => Size),
    sizes,
  );
  await client.complete(open, done);
  return Buffer.concat(parts);
}

/** Fails unless the object is these bytes in every way that it is read. */
async function check(client: S3Client, bucket: string, key: string, bytes: Buffer, border: number): Promise<void> {
  const got = await client.get(bucket, key);
  assert.deepEqual([got.ContentLength, got.Body.sha256], [bytes.length, digest(bytes)]);
  assert.deepEqual(got.Metadata, { colour: 'blue' });
  const range = await client.get(bucket, key, { Range: `bytes=${border - 10}-${border + 9}` });
  assert.equal(range.Body.sha256, digest(bytes.subarray(border - 10, border + 10)));
  const [listed] = await client.list(bucket, { Prefix: key });
  assert.deepEqual([listed?.Size, listed?.ETag], [bytes.length, got.ETag]);
}

/** Parts of all sizes, and what else there is about them. */
export const uploadCases: readonly Case[] = [
  {
    name: 'uploads parts of one size and a smaller last one',
    async run(place) {
      const bytes = await upload(place, 'equal', [5 * mib, 5 * mib, 1_000_003]);
      await check(place.client, place.bucket, 'equal', bytes, 5 * mib);
    },
  },
  {
    name: 'uploads a last part of 5 MiB and more that is smaller than the others',
    async run(place) {
      const bytes = await upload(place, 'large-last', [6 * mib, 6 * mib - 11]);
      await check(place.client, place.bucket, 'large-last', bytes, 6 * mib);
    },
  },
  {
    name: 'uploads parts of any size',
    needs: ['partsOfAnySize'],
    async run(place) {
      const bytes = await upload(place, 'odd', [5 * mib + 1, 6 * mib + 3, 17]);
      await check(place.client, place.bucket, 'odd', bytes, 5 * mib + 1);
    },
  },
  {
    name: 'aborts uploads',
    async run({ client, bucket }) {
      const open = await client.createUpload(bucket, 'aborted');
      await client.uploadPart(open, 1, fresh(1000));
      await client.call('abort_multipart_upload', open);
      // Ceph says NoSuchKey of an upload that is gone.
      await assert.rejects(client.listParts(open), (error: unknown) => {
        return error instanceof S3CallError && error.status === 404;
      });
      await refused(client.head(bucket, 'aborted'), '404', 404);
    },
  },
  {
    name: 'reads parts by their number',
    needsInClear: ['partNumberReads'],
    async run(place) {
      const { client, bucket } = place;
      const bytes = await upload(place, 'numbered', [5 * mib, 1000]);
      const part = await client.get(bucket, 'numbered', { PartNumber: 2 });
      assert.equal(part.Body.sha256, digest(bytes.subarray(5 * mib)));
    },
  },
  {
    name: 'says what an object is made of',
    async run(place) {
      const { client, bucket } = place;
      await upload(place, 'attributes', [5 * mib, 1000]);
      const attributes: { ObjectSize: number; ETag: string } = await client.call('get_object_attributes', {
        Bucket: bucket,
        Key: 'attributes',
        ObjectAttributes: ['ETag', 'ObjectSize', 'ObjectParts'],
      });
      const { ETag, ContentLength } = await client.head(bucket, 'attributes');
      assert.deepEqual([attributes.ObjectSize, `"${attributes.ETag}"`], [ContentLength, ETag]);
    },
  },
  {
    name: 'copies ranges into parts',
    needsInClear: ['partCopies'],
    async run({ client, bucket }) {
      const bytes = fresh(300_000);
      await client.put(bucket, 'part-source', bytes);
      const open = await client.createUpload(bucket, 'part-copy');
      const { CopyPartResult }: { CopyPartResult: { ETag: string } } = await client.call('upload_part_copy', {
        ...open,
        PartNumber: 1,
        CopySource: { Bucket: bucket, Key: 'part-source' },
        CopySourceRange: 'bytes=100-250000',
      });
      await client.complete(open, [{ PartNumber: 1, ETag: CopyPartResult.ETag }]);
      assert.equal((await client.get(bucket, 'part-copy')).Body.sha256, digest(bytes.subarray(100, 250_001)));
    },
  },
  {
    name: 'evaluates conditions of completions',
    needs: ['conditionalCompletions'],
    operation: 'CompleteMultipartUpload',
    async run({ client, bucket }) {
      await client.put(bucket, 'completed', fresh(10));
      const open = await client.createUpload(bucket, 'completed');
      const Parts = [await client.uploadPart(open, 1, fresh(1000))];
      const completion = { ...open, MultipartUpload: { Parts }, IfNoneMatch: '*' };
      await refused(client.call('complete_multipart_upload', completion), 'PreconditionFailed', 412);
      await client.call('abort_multipart_upload', open);
    },
  },
];
