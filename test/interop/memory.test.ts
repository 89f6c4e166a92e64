import assert from 'node:assert/strict';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startBackend, startServer, type BackendName } from './support/backends.ts';
import { BulkContent, BulkDownload, BulkUpload } from './support/bulk.ts';
import { CountingProxy } from './support/counting-proxy.ts';
import { Gateway } from './support/gateway.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import type { Workspace } from './support/workspace.ts';

const mebibyte = 2 ** 20;
const limitBytes = 256 * mebibyte;
const streams = 16;
const bucket = 'memory';

interface Site {
  readonly gateway: Gateway;
  readonly client: S3Client;
}

async function siteOf(workspace: Workspace, name: BackendName): Promise<Site> {
  const gateway = await Gateway.start({ workspace, backend: await startBackend(name, workspace) });
  return { gateway, client: await clientOf(workspace, gateway) };
}

async function clientOf(workspace: Workspace, gateway: Gateway): Promise<S3Client> {
  const client = (await S3Agent.start(workspace)).client(gateway.access);
  await client.createBucket(bucket);
  return client;
}

async function urlOf(client: S3Client, method: 'get_object' | 'put_object', key: string): Promise<string> {
  const Params = { Bucket: bucket, Key: key };
  return await client.call('generate_presigned_url', { ClientMethod: method, Params, ExpiresIn: 900 });
}

async function upload(client: S3Client, key: string, content: BulkContent): Promise<BulkUpload> {
  return new BulkUpload(await urlOf(client, 'put_object', key), content);
}

async function download(client: S3Client, key: string, content: BulkContent, stopAt?: number): Promise<BulkDownload> {
  return new BulkDownload(await urlOf(client, 'get_object', key), content, stopAt);
}

/** Runs transfers of all contents at once, to their ends. */
async function atOnce(
  contents: readonly BulkContent[],
  start: (content: BulkContent, index: number) => Promise<{ readonly done: Promise<void> }>,
): Promise<void> {
  const running = await Promise.all(contents.map(start));
  await Promise.all(running.map(({ done }) => done));
}

function contentsOf(name: string, count: number, lengthBytes: number): readonly BulkContent[] {
  return Array.from({ length: count }, (_, index) => new BulkContent(`${name} ${index}`, lengthBytes));
}

async function staysWithin(gateway: Gateway, what: string): Promise<void> {
  const peakBytes = await gateway.peakMemoryBytes();
  console.error(`${what}: peak resident memory ${(peakBytes / mebibyte).toFixed(0)} MiB`);
  assert.ok(peakBytes < limitBytes, `${what}: ${peakBytes} bytes resident at the peak`);
}

async function needDisk(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir());
  assert.ok(bavail * bsize > bytes, `${tmpdir()} has ${bavail * bsize} bytes free, and this test needs ${bytes}`);
}

/** Asks until a number stands still for two seconds; gives it. */
async function settled(current: () => number): Promise<number> {
  for (let last = -1, since = Date.now(), now = current(); ; now = current()) {
    if (now !== last) since = Date.now();
    else if (Date.now() - since > 2000) return now;
    last = now;
    await sleep(100);
  }
}

describe('memory in front of MinIO, 16 objects of 1 GiB at once', () => {
  const workspace = ownWorkspace();
  const contents = contentsOf('large', streams, 1024 * mebibyte);
  let site: Site;

  before(async () => {
    await needDisk(20 * 1024 * mebibyte);
    site = await siteOf(workspace, 'minio');
  });

  test('uploads', async () => {
    await atOnce(contents, (content, index) => upload(site.client, `${index}`, content));
    await staysWithin(site.gateway, '16 uploads of 1 GiB');
  });

  test('downloads', async () => {
    await atOnce(contents, (content, index) => download(site.client, `${index}`, content));
    await staysWithin(site.gateway, '16 downloads of 1 GiB');
  });
});

describe('memory with the embedded store, both ways at once', () => {
  const workspace = ownWorkspace();

  test('16 uploads beside 16 downloads of 128 MiB', async () => {
    const { gateway, client } = await siteOf(workspace, 'embedded');
    const contents = contentsOf('both ways', streams, 128 * mebibyte);
    await atOnce(contents, (content, index) => upload(client, `${index}`, content));
    await Promise.all([
      atOnce(contents, (content, index) => upload(client, `again ${index}`, content)),
      atOnce(contents, (content, index) => download(client, `${index}`, content)),
    ]);
    await staysWithin(gateway, '16 uploads beside 16 downloads of 128 MiB');
  });
});

describe('backpressure', () => {
  const workspace = ownWorkspace();
  const count = 8;
  const contents = contentsOf('held', count, 128 * mebibyte);
  /** Far more than all sockets on the way hold, far less than there is. */
  const heldBytes = (count * 128 * mebibyte) / 2;
  let proxy: CountingProxy;
  let gateway: Gateway;
  let client: S3Client;

  before(async () => {
    const backend = await startServer('minio', workspace);
    proxy = await CountingProxy.start(backend.access.endpoint, workspace);
    gateway = await Gateway.start({ workspace, backend, proxiedBy: proxy.endpoint });
    client = await clientOf(workspace, gateway);
  });

  test('a backend that takes nothing holds the clients that send', async () => {
    const uploads = await Promise.all(contents.map((content, index) => upload(client, `${index}`, content)));
    const sent = (): number => uploads.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    while (proxy.bytes < count * mebibyte) await sleep(10);
    proxy.hold();
    const stuck = await settled(sent);
    assert.ok(stuck < heldBytes, `${stuck} bytes were taken from the clients`);
    await staysWithin(gateway, '8 uploads to a backend that stands still');
    proxy.goOn();
    await Promise.all(uploads.map(({ done }) => done));
  });

  test('clients that read nothing hold the backend', async () => {
    const before = proxy.bytes;
    const downloads = await Promise.all(
      contents.map((content, index) => download(client, `${index}`, content, mebibyte)),
    );
    const stuck = (await settled(() => proxy.bytes)) - before;
    assert.ok(downloads.every(({ receivedBytes }) => receivedBytes >= mebibyte));
    assert.ok(stuck < heldBytes, `${stuck} bytes were taken from the backend`);
    await staysWithin(gateway, '8 downloads by clients that stand still');
    for (const one of downloads) one.goOn();
    await Promise.all(downloads.map(({ done }) => done));
  });

  test('a client that stops for a while in mid-upload is waited for', async () => {
    const content = new BulkContent('halting', 16 * mebibyte);
    const url = await urlOf(client, 'put_object', 'halting');
    await new BulkUpload(url, content, { pauseAtBytes: 5 * mebibyte, pauseMs: 3000 }).done;
    await (
      await download(client, 'halting', content)
    ).done;
  });
});
