import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startAlteringProxy } from './support/altering-proxy.ts';
import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { writePlaintext } from './support/plaintext.ts';
import { S3CallError } from './support/s3-client.ts';
import { SdkDriver, type SdkClient } from './support/sdk-driver.ts';
import { ownWorkspace } from './support/site.ts';
import { fileDigest } from './support/workspace.ts';

const MiB = 1024 * 1024;
const partLengths = [5 * MiB + 1, 5 * MiB + 70_001, 3];
const partedBytes = partLengths.reduce((sum, length) => sum + length, 0);
const policies = [
  { name: 'md5', match: { buckets: ['md5*'] }, encryption: { etag: 'md5' } },
  { name: 'opaque', match: { buckets: ['opaque'] } },
];

function md5(...contents: readonly Uint8Array[]): Buffer {
  const hash = createHash('md5');
  for (const content of contents) hash.update(content);
  return hash.digest();
}

/** What S3 itself would say of an object of these parts. */
function etagOfParts(bytes: Buffer): string {
  let offset = 0;
  const digests = partLengths.map((length) => md5(bytes.subarray(offset, (offset += length))));
  return `${md5(...digests).toString('hex')}-${digests.length}`;
}

const workspace = ownWorkspace();
let driver: SdkDriver;
let small: string;
let parted: string;

before(async () => {
  driver = await SdkDriver.start(workspace, 'java-v1');
  const folder = await workspace.folder('files');
  small = join(folder, 'small');
  parted = join(folder, 'parted');
  await writePlaintext(small, 'small', 200_001);
  await writePlaintext(parted, 'parted', partedBytes);
});

for (const backend of ['embedded', 'minio'] as const) {
  describe(`ETags and AWS SDK for Java v1, ${backend}`, () => {
    let client: SdkClient;
    let behindAlteringProxy: SdkClient;
    let back: string;

    before(async () => {
      const gateway = await Gateway.start({
        workspace,
        backend: await startBackend(backend, workspace),
        settings: { policies },
      });
      back = join(await workspace.folder('back'), 'file');
      client = driver.client(gateway.access);
      const endpoint = await startAlteringProxy(gateway.access.endpoint, workspace);
      behindAlteringProxy = driver.client({ ...gateway.access, endpoint });
      await client.createBucket('opaque');
      await client.createBucket('md5-bucket');
    });

    test('leaves opaque ones unchecked, of objects and of parts', async () => {
      const { etag } = await client.put('opaque', 'small', small);
      assert.match(etag ?? '', /^[0-9a-f]{32}-0$/);
      await client.multipart('opaque', 'parted', parted, partLengths);
      await client.get('opaque', 'parted', back);
      assert.equal(await fileDigest(back), await fileDigest(parted));
      await behindAlteringProxy.get('opaque', 'small', back);
      assert.notEqual(await fileDigest(back), await fileDigest(small), 'it has no digest to notice the change by');
    });

    test('finds the MD5 right under etag: md5, of objects and of each part', async () => {
      const { etag } = await client.put('md5-bucket', 'small', small);
      assert.equal(etag, md5(await readFile(small)).toString('hex'));
      await client.get('md5-bucket', 'small', back);
      assert.equal(await fileDigest(back), await fileDigest(small));
      const { etag: whole } = await client.multipart('md5-bucket', 'parted', parted, partLengths);
      assert.equal(whole, etagOfParts(await readFile(parted)));
      await client.get('md5-bucket', 'parted', back);
      assert.equal(await fileDigest(back), await fileDigest(parted));
    });

    test('notices by the MD5 that what it gets was changed on the way', async () => {
      await assert.rejects(behindAlteringProxy.get('md5-bucket', 'small', back), (error: unknown) => {
        assert.ok(error instanceof S3CallError);
        assert.match(error.message, /Unable to verify integrity of data download/);
        return true;
      });
    });
  });
}
