import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startAlteringProxy } from './support/altering-proxy.ts';
import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { writePlaintext } from './support/plaintext.ts';
import { S3CallError } from './support/s3-client.ts';
import { SdkDriver, type SdkClient, type SdkObject } from './support/sdk-driver.ts';
import { ownWorkspace } from './support/site.ts';
import { fileDigest } from './support/workspace.ts';

const MiB = 1024 * 1024;
const partLengths = [5 * MiB + 3, 9];

const algorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256', 'SHA512'];

/** Algorithms that an SDK computes by itself, and compares with what GET says. */
const algorithmsOf = {
  'go-v2': algorithms,
  'java-v2': [...algorithms, 'XXHASH64', 'XXHASH3', 'XXHASH128'],
} as const;

interface Version {
  readonly key: string;
  readonly etag?: string;
  readonly lengthBytes: number;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isMarker: boolean;
}

const workspace = ownWorkspace();
let first: string;
let second: string;
let parted: string;

before(async () => {
  const files = await workspace.folder('files');
  [first, second, parted] = [join(files, 'first'), join(files, 'second'), join(files, 'parted')];
  await writePlaintext(first, 'first', 70_001);
  await writePlaintext(second, 'second', 123);
  await writePlaintext(parted, 'parted', 5 * MiB + 12);
});

for (const sdk of ['go-v2', 'java-v2'] as const) {
  describe(`AWS SDK ${sdk}, beside the bytes`, () => {
    let driver: SdkDriver;

    before(async () => {
      driver = await SdkDriver.start(workspace, sdk);
    });

    for (const backend of ['embedded', 'minio'] as const) {
      describe(backend, () => {
        const bucket = `details-${sdk}`;
        let client: SdkClient;
        let behindAlteringProxy: SdkClient;
        let back: string;

        before(async () => {
          back = join(await workspace.folder('back'), 'file');
          const gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
          client = driver.client(gateway.access);
          const endpoint = await startAlteringProxy(gateway.access.endpoint, workspace);
          behindAlteringProxy = driver.client({ ...gateway.access, endpoint });
          await client.createBucket(bucket);
        });

        test('sends checksums of every algorithm, and finds them right in the answer', async () => {
          for (const checksum of algorithmsOf[sdk]) {
            await client.call('put', { bucket, key: checksum, file: first, checksum });
            await client.call('get', { bucket, key: checksum, file: back, checksumMode: 'ENABLED' });
            assert.equal(await fileDigest(back), await fileDigest(first), checksum);
          }
        });

        test('notices by the checksum that what it gets was changed on the way', async () => {
          await client.put(bucket, 'changed', second);
          await behindAlteringProxy.head(bucket, 'changed');
          const get = { bucket, key: 'changed', file: back, checksumMode: 'ENABLED' };
          await assert.rejects(behindAlteringProxy.call('get', get), (error: unknown) => {
            assert.ok(error instanceof S3CallError);
            assert.match(error.message, /checksum did not match|different checksum than expected/);
            return true;
          });
        });

        test('writes only where nothing is, when it is told to', async () => {
          const put = { bucket, key: 'once', ifNoneMatch: '*' };
          await client.call('put', { ...put, file: first });
          await assert.rejects(client.call('put', { ...put, file: second }), (error: unknown) => {
            assert.ok(error instanceof S3CallError);
            assert.deepEqual([error.code, error.status], ['PreconditionFailed', 412]);
            return true;
          });
          await client.get(bucket, 'once', back);
          assert.equal(await fileDigest(back), await fileDigest(first));
        });

        test('reads attributes of objects, and of those with parts', async () => {
          const { etag } = await client.put(bucket, 'whole', first);
          const whole: Record<string, unknown> = await client.call('attributes', { bucket, key: 'whole' });
          assert.deepEqual([`"${String(whole['etag'])}"`, whole['lengthBytes']], [etag, 70_001]);
          assert.equal(whole['checksumType'], 'FULL_OBJECT');
          assert.match(String(whole['crc32']), /^[\w+/]{6}==$/);
          const { etag: partsEtag } = await client.multipart(bucket, 'parts', parted, partLengths);
          const parts: Record<string, unknown> = await client.call('attributes', { bucket, key: 'parts' });
          assert.deepEqual([`"${String(parts['etag'])}"`, parts['lengthBytes']], [partsEtag, 5 * MiB + 12]);
          assert.deepEqual([parts['parts'], parts['checksumType']], [2, 'COMPOSITE']);
        });

        test('tags an object', async () => {
          const tags = { colour: 'blue green', 'owner@host': 'a/b+c=d_e.f:g-h' };
          const { tags: read }: { tags: object } = await client.call('tags', { bucket, key: 'whole', tags });
          assert.deepEqual(read, tags);
        });

        test('lists uploads and parts in pages, then aborts', async () => {
          const uploads: { key: string; uploadId: string }[] = [];
          for (const key of ['up/1', 'up/2 ü', 'up/3']) uploads.push(await client.call('begin', { bucket, key }));
          const listed: { pages: number; uploads: object[] } = await client.call('uploads', { bucket, pageSize: 2 });
          // MinIO gives them all at once, whatever is asked.
          assert.deepEqual(listed, { pages: backend === 'minio' ? 1 : 2, uploads });
          const sent = [];
          for (const partNumber of [1, 3, 4]) {
            const { etag }: SdkObject = await client.call('part', { bucket, ...uploads[1], partNumber, file: first });
            sent.push({ partNumber, lengthBytes: 70_001, etag });
          }
          const parts: { pages: number } = await client.call('parts', { bucket, ...uploads[1], pageSize: 2 });
          assert.deepEqual(parts, { pages: 2, parts: sent });
          for (const upload of uploads) await client.call('abort', { bucket, ...upload });
          const none: { uploads: object[] } = await client.call('uploads', { bucket, pageSize: 2 });
          assert.deepEqual(none.uploads, []);
        });

        if (backend === 'embedded') return;

        test('keeps versions, lists them in pages, and reads each', async () => {
          const versioned = `${bucket}-versions`;
          await client.createBucket(versioned);
          const { status }: { status: string } = await client.call('versioning', { bucket: versioned });
          assert.equal(status, 'Enabled');
          const { etag: firstEtag } = await client.put(versioned, 'a b', first);
          const { etag: secondEtag } = await client.put(versioned, 'a b', second);
          await client.delete(versioned, 'a b');
          const { pages, versions }: { pages: number; versions: Version[] } = await client.call('versions', {
            bucket: versioned,
            pageSize: 2,
          });
          assert.equal(pages, 2);
          const [marker, newer, older] = versions.toSorted(
            (left, right) => Number(right.isMarker) - Number(left.isMarker) || left.lengthBytes - right.lengthBytes,
          );
          assert.deepEqual([marker?.isMarker, marker?.isLatest, marker?.key], [true, true, 'a b']);
          assert.deepEqual([newer?.etag, newer?.lengthBytes, newer?.isLatest], [secondEtag, 123, false]);
          assert.deepEqual([older?.etag, older?.lengthBytes, older?.isLatest], [firstEtag, 70_001, false]);
          await client.call('get', { bucket: versioned, key: 'a b', versionId: older?.versionId, file: back });
          assert.equal(await fileDigest(back), await fileDigest(first));
          await client.call('delete', { bucket: versioned, key: 'a b', versionId: marker?.versionId });
          await client.get(versioned, 'a b', back);
          assert.equal(await fileDigest(back), await fileDigest(second));
        });
      });
    }
  });
}
