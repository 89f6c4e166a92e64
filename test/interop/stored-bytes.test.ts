import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames, serverNames, startCopy, startServer } from './support/backends.ts';
import { Needle } from './support/find-run.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import type { S3Client, Upload } from './support/s3-client.ts';
import { ownWorkspace, startSite, type Site } from './support/site.ts';
import { storedSize } from './support/stored-object.ts';
import { digest, filesUnder } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'stored-bucket';
const headers = { ContentType: 'text/x-stored', Metadata: { colour: 'blue', note: 'with  two spaces' } };

/** What a client stored: whole objects by key. */
const objects: ReadonlyMap<string, Buffer> = new Map([
  ['empty', Buffer.alloc(0)],
  ['small', plaintext('small', 200)],
  ['dir/single', plaintext('single', 3 * mebibyte + 17)],
  ['dir/ü multi', plaintext('multi', 12 * mebibyte + 1234)],
]);
const unfinished = [plaintext('unfinished 1', 5 * mebibyte + 9), plaintext('unfinished 2', 70_001)] as const;
const everything = new Needle(Buffer.concat([...objects.values(), ...unfinished]));

async function store(client: S3Client): Promise<Upload> {
  await client.createBucket(bucket);
  for (const [key, bytes] of objects) {
    if (bytes.length < 5 * mebibyte) await client.put(bucket, key, bytes, headers);
    else await storeInParts(client, key, bytes);
  }
  const upload = await client.createUpload(bucket, 'unfinished');
  await client.uploadPart(upload, 1, unfinished[0]);
  await client.uploadPart(upload, 2, unfinished[1]);
  return upload;
}

async function storeInParts(client: S3Client, key: string, bytes: Buffer): Promise<void> {
  const upload = await client.createUpload(bucket, key, headers);
  const cut = 6 * mebibyte;
  const pieces = [bytes.subarray(0, cut), bytes.subarray(cut, 2 * cut), bytes.subarray(2 * cut)];
  const parts = [];
  for (const [index, piece] of pieces.entries()) parts.push(await client.uploadPart(upload, index + 1, piece));
  await client.complete(upload, parts);
}

/** Files below a folder that hold 32 bytes of any plaintext in a row. */
async function leaks(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  const files = await filesUnder(root);
  assert.ok(files.length > 0, `no files under ${root}`);
  for (const file of files) {
    const run = everything.findIn(await readFile(file));
    if (run !== undefined) found.push(`${file} at ${run.haystackOffset}: ${run.lengthBytes} bytes`);
  }
  return found;
}

async function readsEverything(client: S3Client): Promise<void> {
  for (const [key, bytes] of objects) {
    const got = await client.get(bucket, key);
    assert.deepEqual([got.Body.sha256, got.Body.broken], [digest(bytes), null], key);
    assert.deepEqual([got.ContentType, got.Metadata], [headers.ContentType, headers.Metadata], key);
    const last = bytes.length - 1;
    if (last < 0) continue;
    const part = await client.get(bucket, key, { Range: `bytes=${last >> 1}-${last}` });
    assert.equal(part.Body.sha256, digest(bytes.subarray(last >> 1)), `${key}, half of it`);
  }
}

for (const name of backendNames) {
  describe(`stored bytes, ${name}`, () => {
    const workspace = ownWorkspace();
    let site: Site;
    let upload: Upload;

    before(async () => {
      site = await startSite(name, workspace);
      upload = await store(site.client);
    });

    test('no 32 bytes of plaintext in a row are in any file of the backend, nor in the log', async () => {
      const { gateway } = site;
      assert.deepEqual(await leaks(gateway.backend.root), []);
      const log = Buffer.from(gateway.logText);
      assert.ok(log.length > 0);
      assert.equal(everything.findIn(log), undefined);
    });

    test('no key or secret is in the log', async () => {
      const { gateway } = site;
      const log = gateway.logText;
      const keyring: { keys: readonly { key: string }[] } = JSON.parse(await readFile(gateway.keyring, 'utf8'));
      assert.ok(keyring.keys.length > 0);
      const secrets = [...keyring.keys.map(({ key }) => key), gateway.access.secretAccessKey];
      const { access } = gateway.backend;
      for (const secret of access === undefined ? secrets : [...secrets, access.secretAccessKey]) {
        assert.ok(!log.includes(secret), 'a secret is in the log');
      }
    });

    test('the client sees its keys and nothing else', async () => {
      const keys = (await site.client.list(bucket)).map(({ Key }) => Key);
      assert.deepEqual(keys, [...objects.keys()].toSorted());
    });

    test('a copy of all files opens in a fresh backend, through a fresh gateway, with the same keyring', async () => {
      await site.client.call('abort_multipart_upload', upload);
      const { gateway, agent } = site;
      assert.equal(await gateway.stop(), 0);
      const backend = await startCopy(gateway.backend, workspace);
      const fresh = await Gateway.start({ workspace, backend, keyring: gateway.keyring });
      await readsEverything(agent.client(fresh.access));
    });
  });
}

for (const name of serverNames) {
  describe(`stored objects, ${name}`, () => {
    const workspace = ownWorkspace();
    let site: Site;
    let raw: S3Client;
    let upload: Upload;

    before(async () => {
      site = await startSite(name, workspace);
      upload = await store(site.client);
      const { access } = site.gateway.backend;
      assert.ok(access !== undefined);
      raw = site.agent.client(access);
    });

    test('have no 32 bytes of plaintext in a row, and the sizes that the format says', async () => {
      const folder = await workspace.folder('raw');
      const listed = await raw.list(bucket);
      for (const [index, { Key }] of listed.entries()) await raw.get(bucket, Key, {}, join(folder, String(index)));
      assert.deepEqual(await leaks(folder), []);
      const sizes = new Map(listed.map(({ Key, Size }) => [Key, Size]));
      for (const [key, bytes] of objects) assert.equal(sizes.get(key), storedSize(bytes.length), key);
    });

    test('the search does find plaintext that is stored', async () => {
      const file = join(await workspace.folder('planted'), 'file');
      await writePlaintext(file, 'planted', 2 * mebibyte);
      await raw.createBucket('planted-bucket');
      await raw.put('planted-bucket', 'planted', { $file: file });
      const planted = new Needle(await readFile(file));
      const files = await filesUnder(site.gateway.backend.root);
      const hits = await Promise.all(files.map(async (path) => planted.findIn(await readFile(path)) !== undefined));
      assert.ok(hits.includes(true));
    });

    test('are under the keys of the client; everything else is under .s3eg/, and goes with the upload', async () => {
      const foreign = async (): Promise<readonly string[]> =>
        (await raw.list(bucket)).map(({ Key }) => Key).filter((key) => !objects.has(key));
      const during = await foreign();
      assert.ok(
        during.some((key) => key.startsWith('.s3eg/uploads/')),
        during.join(),
      );
      assert.deepEqual(
        during.filter((key) => !key.startsWith('.s3eg/')),
        [],
      );
      await site.client.call('abort_multipart_upload', upload);
      assert.deepEqual(
        (await foreign()).filter((key) => key.startsWith('.s3eg/uploads/')),
        [],
      );
      const { Uploads }: { Uploads?: unknown } = await raw.call('list_multipart_uploads', { Bucket: bucket });
      assert.equal(Uploads, undefined);
    });

    test('carry two fields of the gateway and the client’s own metadata as it is', async () => {
      for (const key of objects.keys()) {
        const head = await raw.head(bucket, key);
        const names = Object.keys(head.Metadata).toSorted();
        assert.deepEqual(names, ['colour', 'note', 's3eg', 's3eg-key'], key);
        assert.deepEqual([head.ContentType, head.Metadata['colour']], [headers.ContentType, 'blue'], key);
        assert.ok((head.Metadata['s3eg'] ?? '').length <= 600, 'the envelope stays small');
      }
    });

    for (const other of serverNames) {
      test(`open in a fresh ${other} to which any S3 client copied them with their metadata`, async () => {
        const target = await startServer(other, workspace);
        const to = site.agent.client(target.access);
        await to.createBucket(bucket);
        const file = join(await workspace.folder('copy'), 'object');
        for (const key of objects.keys()) {
          const { ContentType, Metadata } = await raw.get(bucket, key, {}, file);
          await to.put(bucket, key, { $file: file }, { ContentType, Metadata });
        }
        const fresh = await Gateway.start({ workspace, backend: target, keyring: site.gateway.keyring });
        await readsEverything(site.agent.client(fresh.access));
      });
    }
  });
}
