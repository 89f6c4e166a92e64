import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import { S3CallError } from './support/s3-client.ts';
import { SdkDriver, type PresignCall, type SdkClient } from './support/sdk-driver.ts';
import { ownWorkspace } from './support/site.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { digest, fileDigest, slice } from './support/workspace.ts';

const MiB = 1024 * 1024;

/** Parts of no common length, none of them whole segments, the last one far below the minimum. */
const partLengths = [5 * MiB + 1, 5 * MiB + 70_001, 6 * MiB - 3, 1];
const partedBytes = partLengths.reduce((sum, length) => sum + length, 0);

/** More than any transfer manager sends at once. */
const managedBytes = 20_000_001;

/** Keys beside those of the tree; each has something that has to be escaped, or must not be. */
const oddKeys = [
  'per%cent',
  '%2B+%20 plus',
  `quotes '"&<>`,
  '~!*()=:@$,;?#[]|',
  '日本/ü 🙂',
  `${'long/'.repeat(200)}end`,
];

/** Servers that keep objects as files have no place for some of them; the embedded store takes all. */
const oddKeysOf = { embedded: [...oddKeys, 'a//b', 'ends/', '/starts'], minio: [...oddKeys, 'ends/'] } as const;

async function refusal(call: Promise<unknown>): Promise<readonly [string, number | undefined]> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof S3CallError, String(error));
  return [error.code, error.status];
}

const workspace = ownWorkspace();
const backends = ['embedded', 'minio'] as const;
let tree: string;
let parted: string;
let managed: string;

before(async () => {
  tree = await makeTree(workspace);
  const folder = await workspace.folder('large');
  parted = join(folder, 'parted');
  managed = join(folder, 'managed');
  await writePlaintext(parted, 'parted', partedBytes);
  await writePlaintext(managed, 'managed', managedBytes);
});

for (const sdk of ['go-v2', 'java-v2', 'java-v1'] as const) {
  describe(`AWS SDK ${sdk}`, () => {
    const bucket = `sdk-${sdk}`;
    let driver: SdkDriver;

    before(async () => {
      driver = await SdkDriver.start(workspace, sdk);
    });

    for (const backend of backends) {
      describe(backend, () => {
        const sizes = new Map<string, number>();
        const etags = new Map<string, string | undefined>();
        let client: SdkClient;
        let folder: string;

        const back = (name: string): string => join(folder, name);

        before(async () => {
          folder = await workspace.folder('back');
          const gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
          client = driver.client(gateway.access);
          await client.createBucket(bucket);
        });

        test('puts files of every length, and gets the same bytes, sizes and headers', async () => {
          const described = { contentType: 'text/x-test', metadata: { colour: 'blue green' } };
          for (const [path, lengthBytes] of treeSizes) {
            const put = await client.put(bucket, path, join(tree, path), described);
            const head = await client.head(bucket, path);
            const got = await client.get(bucket, path, back('file'));
            assert.equal(await fileDigest(back('file')), await fileDigest(join(tree, path)), path);
            assert.deepEqual(head, { ...described, etag: put.etag, lengthBytes }, path);
            assert.deepEqual(got, head, path);
            sizes.set(path, lengthBytes);
            etags.set(path, put.etag);
          }
        });

        test('puts and gets keys that have to be escaped', async () => {
          const small = join(tree, 'segment-plus-1');
          for (const key of oddKeysOf[backend]) {
            const put = await client.put(bucket, key, small);
            await client.get(bucket, key, back('odd'));
            assert.equal(await fileDigest(back('odd')), await fileDigest(small), key);
            sizes.set(key, 65_537);
            etags.set(key, put.etag);
          }
        });

        test('uploads parts of odd lengths, and reads ranges across them', async () => {
          const described = { contentType: 'application/x-parts', metadata: { shape: 'round' } };
          const { etag } = await client.multipart(bucket, 'parted', parted, partLengths, described);
          assert.match(etag ?? '', /^"?[0-9a-f]{32}-4"?$/);
          const head = await client.head(bucket, 'parted');
          assert.deepEqual([head.lengthBytes, head.contentType], [partedBytes, described.contentType]);
          assert.deepEqual(head.metadata, described.metadata);
          await client.get(bucket, 'parted', back('parted'));
          assert.equal(await fileDigest(back('parted')), await fileDigest(parted));
          for (const [first, last] of [
            [0, 0],
            [5 * MiB - 9, 5 * MiB + 9],
            [10 * MiB, 16 * MiB],
            [partedBytes - 1, partedBytes - 1],
          ] as const) {
            const range = await client.get(bucket, 'parted', back('range'), `bytes=${first}-${last}`);
            assert.equal(range.lengthBytes, last - first + 1);
            assert.equal(await fileDigest(back('range')), digest(await slice(parted, first, last)), `${first}-${last}`);
          }
          sizes.set('parted', partedBytes);
          etags.set('parted', etag);
        });

        test('transfers a file with its transfer manager, both ways', async () => {
          const { etag } = await client.upload(bucket, 'managed', managed);
          await client.download(bucket, 'managed', back('managed'));
          assert.equal(await fileDigest(back('managed')), await fileDigest(managed));
          sizes.set('managed', managedBytes);
          etags.set('managed', etag);
        });

        test('copies within the bucket, and from keys that have to be escaped', async () => {
          for (const key of ['parted', '%2B+%20 plus', 'grüße/日本語-🙂.txt', 'empty']) {
            const to = `copies/${key}`;
            const { etag } = await client.copy(bucket, key, { bucket, key: to });
            await client.get(bucket, key, back('source'));
            await client.get(bucket, to, back('copy'));
            assert.equal(await fileDigest(back('copy')), await fileDigest(back('source')), key);
            sizes.set(to, sizes.get(key) ?? -1);
            etags.set(to, etag);
          }
        });

        test('lists the sizes and ETags that it was told, in pages', async () => {
          const { pages, objects } = await client.list(bucket, 4);
          assert.deepEqual(new Map(objects.map(({ key, lengthBytes }) => [key, lengthBytes])), sizes);
          assert.deepEqual(new Map(objects.map(({ key, etag }) => [key, etag])), etags);
          assert.equal(pages, Math.ceil(sizes.size / 4));
        });

        test('signs requests that any HTTP client can send', async () => {
          const key = 'signed/for later+ü%';
          const bytes = plaintext('signed', 100_001);
          const send = async (
            call: Pick<PresignCall, 'operation' | 'headers'>,
            body?: Uint8Array<ArrayBuffer>,
          ): Promise<Response> => {
            const signed = await client.presign({ bucket, key, expiresSeconds: 60, ...call });
            return await fetch(signed.url, {
              method: signed.method,
              headers: signed.headers,
              ...(body === undefined ? {} : { body }),
            });
          };
          const headers = { 'content-type': 'text/x-signed', 'x-amz-meta-colour': 'blue' };
          const put = await send({ operation: 'PutObject', headers }, new Uint8Array(bytes));
          assert.equal(put.status, 200, await put.text());
          const got = await send({ operation: 'GetObject' });
          assert.equal(digest(new Uint8Array(await got.arrayBuffer())), digest(bytes));
          assert.deepEqual(
            [got.headers.get('content-type'), got.headers.get('x-amz-meta-colour')],
            ['text/x-signed', 'blue'],
          );
          const head = await send({ operation: 'HeadObject' });
          assert.deepEqual([head.status, head.headers.get('content-length')], [200, '100001']);
          assert.equal((await send({ operation: 'DeleteObject' })).status, 204);
          assert.equal((await send({ operation: 'GetObject' })).status, 404);
        });

        test('understands refusals', async () => {
          assert.deepEqual(await refusal(client.get(bucket, 'not there', back('none'))), ['NoSuchKey', 404]);
          const [, status] = await refusal(client.head(bucket, 'not there'));
          assert.equal(status, 404);
          assert.deepEqual(await refusal(client.deleteBucket(bucket)), ['BucketNotEmpty', 409]);
        });

        test('deletes one, then all at once, then the bucket', async () => {
          const [first = '', ...others] = sizes.keys();
          await client.delete(bucket, first);
          assert.deepEqual(await client.deleteAll(bucket, others), { deleted: others.length, errors: 0 });
          assert.deepEqual(await client.list(bucket, 1000), { pages: 1, objects: [] });
          await client.deleteBucket(bucket);
          const [code, status] = await refusal(client.list(bucket, 1000));
          assert.deepEqual([code, status], ['NoSuchBucket', 404]);
        });
      });
    }
  });
}
