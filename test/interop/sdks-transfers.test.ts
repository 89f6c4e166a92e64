import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend } from './support/backends.ts';
import { makeCertificate, type TrustFiles } from './support/certificate.ts';
import { Gateway } from './support/gateway.ts';
import { writePlaintext } from './support/plaintext.ts';
import { S3CallError } from './support/s3-client.ts';
import { SdkDriver, type SdkClient } from './support/sdk-driver.ts';
import { ownWorkspace } from './support/site.ts';
import { fileDigest } from './support/workspace.ts';

const MiB = 1024 * 1024;
const bucket = 'transfers';
const partLengths = [5 * MiB + 3, 6 * MiB - 1, 9];

/** Nothing, less than a segment, and more than any transfer manager sends at once. */
const lengths = { 'no bytes': 0, 'few+bytes %': 7001, 'many bytes ü': 20_000_001 };
const parted = 'in parts';

const workspace = ownWorkspace();
let files: string;

before(async () => {
  files = await workspace.folder('files');
  for (const [name, lengthBytes] of Object.entries(lengths)) await writePlaintext(join(files, name), name, lengthBytes);
  await writePlaintext(
    join(files, parted),
    parted,
    partLengths.reduce((sum, length) => sum + length, 0),
  );
});

async function assertSame(path: string, name: string): Promise<void> {
  assert.equal(await fileDigest(path), await fileDigest(join(files, name)), name);
}

/** Both ways with the transfer manager, and the sizes that a listing tells afterwards. */
async function transferAll(client: SdkClient): Promise<void> {
  const back = await workspace.folder('transferred');
  for (const name of Object.keys(lengths)) {
    await client.upload(bucket, name, join(files, name));
    await client.download(bucket, name, join(back, name));
    await assertSame(join(back, name), name);
  }
  const { objects } = await client.list(bucket, 1000);
  assert.deepEqual(
    new Map(objects.map(({ key, lengthBytes }) => [key, lengthBytes])),
    new Map(Object.entries(lengths)),
  );
}

async function putAndGetAll(client: SdkClient): Promise<void> {
  const back = await workspace.folder('got');
  for (const name of Object.keys(lengths)) {
    await client.put(bucket, name, join(files, name));
    await client.get(bucket, name, join(back, name));
    await assertSame(join(back, name), name);
  }
  await client.multipart(bucket, parted, join(files, parted), partLengths);
  await client.get(bucket, parted, join(back, parted));
  await assertSame(join(back, parted), parted);
}

// Over TLS the SDKs do not sign what they send: they trust the channel, and announce a checksum behind the bytes.
describe('compiled SDKs over TLS', () => {
  let gateway: Gateway;
  let trust: TrustFiles;

  before(async () => {
    const { cert, key, trust: files } = await makeCertificate(workspace);
    trust = files;
    const settings = { listen: { host: '127.0.0.1', port: 0, tls: { cert, key } } };
    gateway = await Gateway.start({ workspace, backend: await startBackend('embedded', workspace), settings });
    assert.match(gateway.access.endpoint, /^https:/);
  });

  for (const sdk of ['go-v2', 'java-v2', 'java-v1'] as const) {
    test(`${sdk} puts, gets, and transfers files in parts`, async () => {
      const client = (await SdkDriver.start(workspace, sdk, { trust })).client(gateway.access);
      await client.createBucket(bucket);
      await transferAll(client);
      await putAndGetAll(client);
      const names = [...Object.keys(lengths), parted];
      assert.deepEqual(await client.deleteAll(bucket, names), { deleted: names.length, errors: 0 });
      await client.deleteBucket(bucket);
    });
  }

  test('go-v2 does not talk to a server that it does not trust', async () => {
    const client = (await SdkDriver.start(workspace, 'go-v2')).client(gateway.access);
    await assert.rejects(client.createBucket(bucket), (error: unknown) => {
      assert.ok(error instanceof S3CallError);
      assert.deepEqual([error.code, error.status], ['Broken', undefined]);
      assert.match(error.message, /certificate/);
      return true;
    });
  });
});

describe('the transfer manager of AWS’s common runtime', () => {
  let driver: SdkDriver;

  before(async () => {
    driver = await SdkDriver.start(workspace, 'java-v2-native');
  });

  for (const backend of ['embedded', 'minio'] as const) {
    test(`transfers files in parts and ranges, ${backend}`, async () => {
      const gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
      const client = driver.client(gateway.access);
      await client.createBucket(bucket);
      await transferAll(client);
    });
  }
});
