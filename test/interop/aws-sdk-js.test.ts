import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import { S3Agent, S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { digest, fileDigest, slice } from './support/workspace.ts';

const bucket = 'aws-sdk-js';
const largeBytes = 21_000_001;
const MiB = 1024 * 1024;

async function refusal(call: Promise<unknown>): Promise<readonly [string, number | undefined]> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof S3CallError, String(error));
  return [error.code, error.status];
}

for (const backend of ['embedded', 'minio'] as const) {
  describe(`AWS SDK for JavaScript v3, ${backend}`, () => {
    const workspace = ownWorkspace();
    let client: S3Client;
    let large: string;

    before(async () => {
      const gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
      client = (await S3Agent.startJs(workspace)).client(gateway.access);
      large = join(await workspace.folder('large'), 'large.bin');
      await writePlaintext(large, 'js large', largeBytes);
      await client.createBucket(bucket);
    });

    test('puts, heads, gets and reads ranges, with the checksums that it makes by itself', async () => {
      const bytes = plaintext('js', 200_003);
      const sent: { ETag: string; ChecksumCRC32?: string } = await client.call('put_object', {
        Bucket: bucket,
        Key: 'dir/a b+ü',
        Body: { $base64: bytes.toString('base64') },
        ContentType: 'text/x-test',
        Metadata: { colour: 'blue' },
      });
      const head = await client.head(bucket, 'dir/a b+ü', { ChecksumMode: 'ENABLED' });
      const got = await client.get(bucket, 'dir/a b+ü');
      assert.deepEqual([head.ETag, got.ETag], [sent.ETag, sent.ETag]);
      assert.deepEqual([head.ContentLength, head.ContentType], [bytes.length, 'text/x-test']);
      assert.deepEqual(head.Metadata, { colour: 'blue' });
      assert.deepEqual(got.Body, { length: bytes.length, sha256: digest(bytes), broken: null });
      assert.match(sent.ChecksumCRC32 ?? '', /^[\w+/]{6}==$/, 'the SDK sends a CRC32, and gets it back');
      assert.deepEqual([head.ChecksumCRC32, got.ChecksumCRC32], [sent.ChecksumCRC32, sent.ChecksumCRC32]);
      for (const [range, first, last] of [
        ['bytes=0-0', 0, 0],
        ['bytes=65530-131080', 65_530, 131_080],
        ['bytes=-7', bytes.length - 7, bytes.length - 1],
        ['bytes=200000-', 200_000, bytes.length - 1],
      ] as const) {
        const part = await client.get(bucket, 'dir/a b+ü', { Range: range });
        assert.equal(part.ContentRange, `bytes ${first}-${last}/${bytes.length}`);
        assert.equal(part.Body.sha256, digest(bytes.subarray(first, last + 1)), range);
      }
    });

    for (const algorithm of ['CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
      test(`sends and verifies ${algorithm}, from a stream too`, async () => {
        const path = join(await workspace.folder('stream'), 'file');
        await writePlaintext(path, `js ${algorithm}`, 300_001);
        const put = { Bucket: bucket, Key: algorithm, ContentLength: 300_001, ChecksumAlgorithm: algorithm };
        await client.call('put_object', { ...put, Body: { $file: path } });
        const got = await client.get(bucket, algorithm, { ChecksumMode: 'ENABLED' });
        assert.deepEqual([got.Body.sha256, got.Body.broken], [await fileDigest(path), null]);
        const value = new Map<string, unknown>(Object.entries(got)).get(`Checksum${algorithm}`);
        assert.equal(typeof value, 'string', 'the checksum is given back');
        if (algorithm.startsWith('SHA')) {
          const hash = createHash(algorithm.toLowerCase()).update(await readFile(path));
          assert.equal(value, hash.digest('base64'));
        }
      });
    }

    test('uploads a stream with lib-storage in parts, several at a time', async () => {
      const upload: { ETag: string } = await client.call('upload', {
        Bucket: bucket,
        Key: 'large',
        Body: { $file: large },
        partSize: 5 * MiB,
        queueSize: 3,
      });
      assert.match(upload.ETag, /-5"$/);
      const [listed] = await client.list(bucket, { Prefix: 'large' });
      assert.deepEqual([listed?.Size, listed?.ETag], [largeBytes, upload.ETag]);
      const got = await client.get(bucket, 'large', { ChecksumMode: 'ENABLED' });
      assert.deepEqual(got.Body, { length: largeBytes, sha256: await fileDigest(large), broken: null });
      const range = await client.get(bucket, 'large', { Range: `bytes=${5 * MiB - 9}-${10 * MiB + 9}` });
      assert.equal(range.Body.sha256, digest(await slice(large, 5 * MiB - 9, 10 * MiB + 9)));
    });

    test('copies within the bucket, and in parts', async () => {
      await client.put(bucket, 'source', plaintext('js source', 100_000), { Metadata: { colour: 'red' } });
      await client.call('copy_object', { Bucket: bucket, Key: 'copy', CopySource: `${bucket}/source` });
      const copy = await client.get(bucket, 'copy');
      assert.deepEqual([copy.Metadata, copy.Body.length], [{ colour: 'red' }, 100_000]);
      assert.equal(copy.Body.sha256, digest(plaintext('js source', 100_000)));

      const upload = await client.createUpload(bucket, 'copy-large');
      const parts = [`0-${6 * MiB - 1}`, `${6 * MiB}-${largeBytes - 1}`].map(async (range, index) => {
        const request = { ...upload, PartNumber: index + 1, CopySource: `${bucket}/large` };
        const answer: { CopyPartResult: { ETag: string } } = await client.call('upload_part_copy', {
          ...request,
          CopySourceRange: `bytes=${range}`,
        });
        return { PartNumber: index + 1, ETag: answer.CopyPartResult.ETag };
      });
      await client.complete(upload, await Promise.all(parts));
      assert.equal((await client.get(bucket, 'copy-large')).Body.sha256, await fileDigest(large));
    });

    test('lists pages with prefixes, deletes one and many, and hears S3’s errors', async () => {
      const keys = ['l/a/1', 'l/a/2', 'l/b', 'l/c d/é', 'l/z+&?=#%'];
      for (const Key of keys) await client.put(bucket, Key, plaintext(Key, 5));
      const listed = await client.list(bucket, { Prefix: 'l/', MaxKeys: 2 });
      assert.deepEqual(
        listed.map(({ Key, Size }) => [Key, Size]),
        keys.map((key) => [key, 5]),
      );
      const rolled: { CommonPrefixes: readonly { Prefix: string }[] } = await client.call('list_objects_v2', {
        Bucket: bucket,
        Prefix: 'l/',
        Delimiter: '/',
      });
      assert.deepEqual(
        rolled.CommonPrefixes.map(({ Prefix }) => Prefix),
        ['l/a/', 'l/c d/'],
      );
      const middle = { Bucket: bucket, Key: 'l/b' };
      assert.deepEqual(await refusal(client.put(bucket, 'l/b', Buffer.from('x'), { IfNoneMatch: '*' })), [
        'PreconditionFailed',
        412,
      ]);
      await client.call('delete_object', middle);
      assert.deepEqual(await refusal(client.get(bucket, 'l/b')), ['NoSuchKey', 404]);
      assert.deepEqual(await refusal(client.head(bucket, 'l/b')), ['NotFound', 404]);
      const all = (await client.list(bucket)).map(({ Key }) => ({ Key }));
      await client.call('delete_objects', { Bucket: bucket, Delete: { Objects: all } });
      assert.deepEqual(await client.list(bucket), []);
      await client.call('delete_bucket', { Bucket: bucket });
      assert.deepEqual(await refusal(client.call('head_bucket', { Bucket: bucket })), ['NotFound', 404]);
    });
  });
}
