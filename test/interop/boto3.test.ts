import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import { S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { digest, fileDigest, slice } from './support/workspace.ts';

const bucket = 'boto3-bucket';

/** Fails unless the call is refused with this code. */
async function refused(call: Promise<unknown>, code: string, status: number): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof S3CallError, String(error));
    assert.deepEqual([error.code, error.status], [code, status], error.message);
    return true;
  });
}

async function presigned(client: S3Client, method: string, key: string): Promise<string> {
  const Params = { Bucket: bucket, Key: key };
  return await client.call('generate_presigned_url', { ClientMethod: method, Params, ExpiresIn: 300 });
}

for (const backend of backendNames) {
  describe(`boto3, ${backend}`, () => {
    const workspace = ownWorkspace();
    let client: S3Client;

    before(async () => {
      ({ client } = await startSite(backend, workspace));
      await client.createBucket(bucket);
    });

    for (const algorithm of ['CRC32', 'SHA1', 'SHA256']) {
      test(`sends, keeps and verifies ${algorithm}`, async () => {
        const bytes = plaintext(algorithm, 150_001);
        const put: Readonly<Record<string, unknown>> = await client.call('put_object', {
          Bucket: bucket,
          Key: algorithm,
          Body: { $base64: bytes.toString('base64') },
          ChecksumAlgorithm: algorithm,
        });
        // boto3 itself compares the checksum of a body that it reads with the header.
        const got = await client.get(bucket, algorithm, { ChecksumMode: 'ENABLED' });
        assert.equal(got.Body.sha256, digest(bytes));
        const sent = put[`Checksum${algorithm}`];
        assert.equal(typeof sent, 'string');
        assert.equal(new Map<string, unknown>(Object.entries(got)).get(`Checksum${algorithm}`), sent);
      });
    }

    test('refuses what does not have the announced checksum, and keeps what is stored', async () => {
      // Long enough that most of it is on its way to the backend when the end shows that it is wrong.
      const body = plaintext('wrong', 3_000_000);
      const other = createHash('sha256').update('other').digest('base64');
      const md5 = createHash('md5').update('other').digest('base64');
      await refused(client.put(bucket, 'wrong', body, { ChecksumSHA256: other }), 'BadDigest', 400);
      await refused(client.put(bucket, 'wrong', body, { ContentMD5: md5 }), 'BadDigest', 400);
      await refused(client.head(bucket, 'wrong'), '404', 404);
      const before = plaintext('before', 100_000);
      await client.put(bucket, 'wrong', before);
      await refused(client.put(bucket, 'wrong', body, { ChecksumSHA256: other }), 'BadDigest', 400);
      assert.equal((await client.get(bucket, 'wrong')).Body.sha256, digest(before));
    });

    test('uploads in parts and downloads in ranges, many at a time', async () => {
      const folder = await workspace.folder('transfer');
      const [file, back] = [join(folder, 'file'), join(folder, 'back')];
      await writePlaintext(file, 'boto3 transfer', 45_000_007);
      await client.call('upload_file', { Filename: file, Bucket: bucket, Key: 'transfer' });
      await client.call('download_file', { Filename: back, Bucket: bucket, Key: 'transfer' });
      assert.equal(await fileDigest(back), await fileDigest(file));
      for (const [first, last] of [
        [0, 45_000_006],
        [8_388_607, 16_777_216],
        [44_999_999, 45_000_006],
      ] as const) {
        const part = await client.get(bucket, 'transfer', { Range: `bytes=${first}-${last}` });
        assert.equal(part.ContentRange, `bytes ${first}-${last}/45000007`);
        assert.equal(part.Body.sha256, digest(await slice(file, first, last)));
      }
    });

    test('gives the same ETag and size everywhere, and evaluates conditions on it', async () => {
      const bytes = plaintext('etag', 66_000);
      const { ETag } = await client.put(bucket, 'etag', bytes);
      const head = await client.head(bucket, 'etag');
      const got = await client.get(bucket, 'etag', { IfMatch: ETag });
      const [listed] = await client.list(bucket, { Prefix: 'etag' });
      assert.deepEqual([head.ETag, got.ETag, listed?.ETag], [ETag, ETag, ETag]);
      assert.deepEqual([head.ContentLength, got.ContentLength, listed?.Size], [66_000, 66_000, 66_000]);
      assert.notEqual(ETag.replaceAll('"', ''), createHash('md5').update(bytes).digest('hex'));
      await refused(client.get(bucket, 'etag', { IfNoneMatch: ETag }), '304', 304);
      await refused(
        client.get(bucket, 'etag', { IfMatch: '"0123456789abcdef0123456789abcdef-0"' }),
        'PreconditionFailed',
        412,
      );
      await refused(client.put(bucket, 'etag', bytes, { IfNoneMatch: '*' }), 'PreconditionFailed', 412);
    });

    test('keeps headers and user metadata, and shows none of its own', async () => {
      const sent = {
        CacheControl: 'max-age=60',
        ContentDisposition: 'attachment; filename="x.txt"',
        ContentEncoding: 'identity',
        ContentLanguage: 'de',
        ContentType: 'text/plain; charset=utf-8',
        Metadata: { colour: 'blue green', 'x-y': '=?UTF-8?Q?gr=C3=BCn?=' },
      };
      await client.put(bucket, 'headers', plaintext('headers', 10), sent);
      for (const answer of [await client.head(bucket, 'headers'), await client.get(bucket, 'headers')]) {
        const fields = new Map<string, unknown>(Object.entries(answer));
        for (const name of [
          'CacheControl',
          'ContentDisposition',
          'ContentLanguage',
          'ContentType',
          'ContentEncoding',
        ]) {
          assert.equal(fields.get(name), new Map<string, unknown>(Object.entries(sent)).get(name), name);
        }
        assert.deepEqual(Object.keys(answer.Metadata).toSorted(), ['colour', 'x-y']);
        const names = Object.keys(answer.ResponseMetadata.HTTPHeaders);
        assert.deepEqual(
          names.filter((name) => name.includes('s3eg')),
          [],
        );
      }
      await refused(
        client.put(bucket, 'own', plaintext('own', 10), { Metadata: { s3eg: 'x' } }),
        'InvalidArgument',
        400,
      );
    });

    test('serves presigned GET and PUT, and refuses them when anything is changed', async () => {
      const bytes = plaintext('presigned', 100_000);
      const put = await fetch(await presigned(client, 'put_object', 'pre signed/ü'), { method: 'PUT', body: bytes });
      assert.equal(put.status, 200, await put.text());
      const url = await presigned(client, 'get_object', 'pre signed/ü');
      const got = await fetch(url);
      assert.equal(digest(Buffer.from(await got.arrayBuffer())), digest(bytes));
      const part = await fetch(url, { headers: { range: 'bytes=65530-65545' } });
      assert.equal(part.status, 206);
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(65_530, 65_546));
      const other = await fetch(url.replace('pre%20signed', 'pre%20signee'));
      assert.equal(other.status, 403);
      assert.match(await other.text(), /SignatureDoesNotMatch/);
    });

    test('lists with a delimiter and small pages, and deletes many at once', async () => {
      const keys = ['l/a/1', 'l/a/2', 'l/b', 'l/c d/é', 'l/z+&?=#%'];
      for (const Key of keys) await client.put(bucket, Key, plaintext(Key, 5));
      const listed = await client.list(bucket, { Prefix: 'l/', MaxKeys: 2 });
      assert.deepEqual(
        listed.map(({ Key }) => Key),
        keys,
      );
      const rolled: { CommonPrefixes: readonly { Prefix: string }[]; Contents: readonly { Key: string }[] } =
        await client.call('list_objects_v2', { Bucket: bucket, Prefix: 'l/', Delimiter: '/' });
      assert.deepEqual(
        rolled.CommonPrefixes.map(({ Prefix }) => Prefix),
        ['l/a/', 'l/c d/'],
      );
      assert.deepEqual(
        rolled.Contents.map(({ Key }) => Key),
        ['l/b', 'l/z+&?=#%'],
      );
      const Objects = keys.map((Key) => ({ Key }));
      const deleted: { Deleted: readonly { Key: string }[] } = await client.call('delete_objects', {
        Bucket: bucket,
        Delete: { Objects },
      });
      assert.deepEqual(deleted.Deleted.map(({ Key }) => Key).toSorted(), keys);
      assert.deepEqual(await client.list(bucket, { Prefix: 'l/' }), []);
    });

    test('overwrites and deletes', async () => {
      const file = join(await workspace.folder('overwrite'), 'got');
      await client.put(bucket, 'again', plaintext('first', 300_000));
      await client.put(bucket, 'again', plaintext('second', 20));
      await client.get(bucket, 'again', {}, file);
      assert.deepEqual(await readFile(file), plaintext('second', 20));
      await client.delete(bucket, 'again');
      await refused(client.get(bucket, 'again'), 'NoSuchKey', 404);
    });
  });
}
