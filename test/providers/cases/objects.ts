/** Single objects. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import type { ObjectHead, ReceivedObject, S3Client } from '../../interop/support/s3-client.ts';
import { digest } from '../../interop/support/workspace.ts';
import { fresh, refused, type Case } from '../support/case.ts';

async function presigned(client: S3Client, method: string, Bucket: string, Key: string): Promise<string> {
  return await client.call('generate_presigned_url', {
    ClientMethod: method,
    Params: { Bucket, Key },
    ExpiresIn: 300,
  });
}

/** A case that puts and reads an object under an unusual key, beside one that it must not be taken for. */
function keyCase(name: string, key: string, similar: string, needs: readonly string[] = []): Case {
  return {
    name: `keeps ${name}`,
    needs,
    async run({ client, bucket }) {
      const [bytes, other] = [fresh(1000), fresh(1000)];
      try {
        await client.put(bucket, similar, other);
        await client.put(bucket, key, bytes);
        assert.equal((await client.get(bucket, key)).Body.sha256, digest(bytes));
        assert.equal((await client.get(bucket, similar)).Body.sha256, digest(other));
        const listed = await client.list(bucket, { Prefix: key.slice(0, 3) });
        assert.ok(
          listed.some(({ Key, Size }) => Key === key && Size === 1000),
          'not listed as it was put',
        );
      } finally {
        // Not by a listing, which may not give it as it is.
        await client.delete(bucket, key).catch(() => {});
      }
      await refused(client.head(bucket, key), '404', 404);
    },
  };
}

/** Objects, one at a time. */
export const objectCases: readonly Case[] = [
  {
    name: 'puts, looks at, reads, overwrites and deletes',
    async run({ client, bucket }) {
      const bytes = fresh(150_001);
      const options = { ContentType: 'text/x-test', CacheControl: 'max-age=60', Metadata: { colour: 'blue' } };
      const { ETag } = await client.put(bucket, 'object', bytes, options);
      const answers: readonly ObjectHead[] = [await client.head(bucket, 'object'), await client.get(bucket, 'object')];
      for (const head of answers) {
        assert.deepEqual([head.ETag, head.ContentLength, head.ContentType], [ETag, 150_001, 'text/x-test']);
        assert.deepEqual(head.Metadata, { colour: 'blue' });
      }
      assert.equal((await client.get(bucket, 'object')).Body.sha256, digest(bytes));
      const other = fresh(20);
      await client.put(bucket, 'object', other);
      assert.equal((await client.get(bucket, 'object')).Body.sha256, digest(other));
      await client.delete(bucket, 'object');
      await refused(client.get(bucket, 'object'), 'NoSuchKey', 404);
      await client.delete(bucket, 'object');
    },
  },
  {
    name: 'keeps objects without a byte',
    async run({ client, bucket }) {
      await client.put(bucket, 'empty', Buffer.alloc(0));
      assert.equal((await client.head(bucket, 'empty')).ContentLength, 0);
      assert.equal((await client.get(bucket, 'empty')).Body.length, 0);
      assert.deepEqual(
        (await client.list(bucket, { Prefix: 'empty' })).map(({ Size }) => Size),
        [0],
      );
    },
  },
  {
    name: 'reads ranges',
    async run({ client, bucket }) {
      const bytes = fresh(200_000);
      await client.put(bucket, 'ranges', bytes);
      for (const [range, first, end] of [
        ['bytes=0-0', 0, 1],
        ['bytes=65530-131080', 65_530, 131_081],
        ['bytes=199990-', 199_990, 200_000],
        ['bytes=-7', 199_993, 200_000],
        ['bytes=199000-900000', 199_000, 200_000],
      ] as const) {
        const part: ReceivedObject = await client.get(bucket, 'ranges', { Range: range });
        assert.equal(part.ContentRange, `bytes ${first}-${end - 1}/200000`);
        assert.equal(part.Body.sha256, digest(bytes.subarray(first, end)), range);
      }
      await refused(client.get(bucket, 'ranges', { Range: 'bytes=200000-' }), 'InvalidRange', 416);
    },
  },
  keyCase('keys with spaces, signs and letters of all kinds', 'odd a+b %20 &?=#"é€😀.txt', 'odd a b  &?=#"é€😀.txt'),
  keyCase('keys with //', 'k1//a//b', 'k1/a/b', ['doubleSlashKeys']),
  keyCase('keys with dots between slashes', 'k2/a/./../b', 'k2/b', ['dotKeys']),
  keyCase('keys that end in a slash, with content', 'k3/folder/', 'k3/folder', ['slashKeys']),
  keyCase('keys with control characters', 'k4/\u0001\n\t', 'k4/ ', ['controlCharacterKeys']),
  {
    name: 'keeps directory markers without content',
    needsEncrypted: ['slashKeys'],
    async run({ client, bucket }) {
      await client.put(bucket, 'marker/', Buffer.alloc(0));
      assert.equal((await client.head(bucket, 'marker/')).ContentLength, 0);
      const [listed] = await client.list(bucket, { Prefix: 'marker/' });
      assert.deepEqual([listed?.Key, listed?.Size], ['marker/', 0]);
    },
  },
  {
    name: 'verifies checksums, and stores nothing that does not have the one announced',
    async run({ client, bucket }) {
      const bytes = fresh(100_000);
      const sha256 = createHash('sha256').update('other').digest('base64');
      const md5 = createHash('md5').update('other').digest('base64');
      await refused(client.put(bucket, 'wrong', bytes, { ChecksumSHA256: sha256 }), 'BadDigest', 400);
      await refused(client.put(bucket, 'wrong', bytes, { ContentMD5: md5 }), 'BadDigest', 400);
      await refused(client.head(bucket, 'wrong'), '404', 404);
    },
  },
  {
    name: 'gives checksums back',
    // In clear the gateway verifies them and leaves it to the backend to have some of its own.
    mode: 'required',
    async run({ client, bucket }) {
      const bytes = fresh(100_000);
      const wanted = createHash('sha256').update(bytes).digest('base64');
      await client.put(bucket, 'sha256', bytes, { ChecksumAlgorithm: 'SHA256' });
      const head: { ChecksumSHA256?: string } = await client.call('head_object', {
        Bucket: bucket,
        Key: 'sha256',
        ChecksumMode: 'ENABLED',
      });
      assert.equal(head.ChecksumSHA256, wanted);
    },
  },
  {
    name: 'evaluates conditions of reads',
    async run({ client, bucket }) {
      const { ETag } = await client.put(bucket, 'read', fresh(10));
      await client.get(bucket, 'read', { IfMatch: ETag });
      await refused(client.get(bucket, 'read', { IfNoneMatch: ETag }), '304', 304);
      await refused(client.get(bucket, 'read', { IfMatch: '"0-0"' }), 'PreconditionFailed', 412);
    },
  },
  {
    name: 'creates only what is not there',
    needs: ['conditionalCreations'],
    operation: 'PutObject',
    async run({ client, bucket }) {
      await client.put(bucket, 'new', fresh(10), { IfNoneMatch: '*' });
      await refused(client.put(bucket, 'new', fresh(10), { IfNoneMatch: '*' }), 'PreconditionFailed', 412);
    },
  },
  {
    name: 'replaces only what it has seen',
    needs: ['conditionalReplacements'],
    operation: 'PutObject',
    async run({ client, bucket }) {
      const { ETag } = await client.put(bucket, 'put', fresh(10));
      await client.put(bucket, 'put', fresh(10), { IfMatch: ETag });
      await refused(client.put(bucket, 'put', fresh(10), { IfMatch: ETag }), 'PreconditionFailed', 412);
    },
  },
  {
    name: 'evaluates conditions of deletes',
    needs: ['conditionalDeletes'],
    operation: 'DeleteObject',
    async run({ client, bucket }) {
      const { ETag } = await client.put(bucket, 'deleted', fresh(10));
      const address = { Bucket: bucket, Key: 'deleted' };
      await refused(client.call('delete_object', { ...address, IfMatch: '"0-0"' }), 'PreconditionFailed', 412);
      await client.call('delete_object', { ...address, IfMatch: ETag });
      await refused(client.head(bucket, 'deleted'), '404', 404);
    },
  },
  {
    name: 'deletes many at once',
    needs: ['multipleDeletes'],
    async run({ client, bucket }) {
      const keys = ['many/1', 'many/2 é', 'many/3&'];
      for (const key of keys) await client.put(bucket, key, fresh(5));
      const Objects = [...keys, 'many/none'].map((Key) => ({ Key }));
      const answer: { Deleted: readonly { Key: string }[]; Errors?: readonly unknown[] } = await client.call(
        'delete_objects',
        { Bucket: bucket, Delete: { Objects } },
      );
      assert.deepEqual(answer.Deleted.map(({ Key }) => Key).toSorted(), [...keys, 'many/none'].toSorted());
      assert.deepEqual(await client.list(bucket, { Prefix: 'many/' }), []);
    },
  },
  {
    name: 'keeps tags',
    needs: ['tagging'],
    async run({ client, bucket }) {
      const address = { Bucket: bucket, Key: 'tagged' };
      await client.put(bucket, 'tagged', fresh(10), { Tagging: 'colour=blue' });
      const read = async (): Promise<unknown> => {
        const { TagSet }: { TagSet: unknown } = await client.call('get_object_tagging', address);
        return TagSet;
      };
      assert.deepEqual(await read(), [{ Key: 'colour', Value: 'blue' }]);
      const TagSet = [{ Key: 'size', Value: 'large + wide' }];
      await client.call('put_object_tagging', { ...address, Tagging: { TagSet } });
      assert.deepEqual(await read(), TagSet);
      await client.call('delete_object_tagging', address);
      assert.deepEqual(await read(), []);
    },
  },
  {
    name: 'serves presigned URLs',
    async run({ client, bucket }) {
      const bytes = fresh(100_000);
      const put = await fetch(await presigned(client, 'put_object', bucket, 'pre signed/ü'), {
        method: 'PUT',
        body: new Uint8Array(bytes),
      });
      assert.equal(put.status, 200, await put.text());
      const url = await presigned(client, 'get_object', bucket, 'pre signed/ü');
      const got = await fetch(url, { headers: { range: 'bytes=10-99' } });
      assert.deepEqual(Buffer.from(await got.arrayBuffer()), bytes.subarray(10, 100));
      assert.equal((await fetch(url.replace('pre%20signed', 'pre%20signee'))).status, 403);
    },
  },
];
