import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import { collect, filesInUse, filesOnDisk, openStore, put, streamOf, temporaryRoot } from './helpers.ts';

const partBytes = 5 * 1024 * 1024;

async function putJoined(store: FilesystemStore, key: string, parts: readonly Uint8Array[]): Promise<void> {
  const address = { bucket: 'bucket', key };
  const { uploadId } = await store.createUpload({ ...address, headers: {} });
  const sent = [];
  for (const [index, bytes] of parts.entries()) {
    const partNumber = index + 1;
    const body = streamOf(bytes);
    const { etag } = await store.uploadPart({ ...address, uploadId, partNumber, body, lengthBytes: bytes.length });
    sent.push({ partNumber, etag });
  }
  await store.completeUpload({ ...address, uploadId, parts: sent });
}

async function twoStores(context: TestContext) {
  const root = await temporaryRoot(context);
  return { root, first: await openStore(context, root), second: await openStore(context, root) };
}

describe('two stores with one root', () => {
  it('see each other at once', async (context) => {
    const { first, second } = await twoStores(context);
    await put(first, 'k', Buffer.from('from the first'));
    const object = await second.getObject({ bucket: 'bucket', key: 'k' });
    assert.equal((await collect(object.body)).toString(), 'from the first');
    await second.deleteObject({ bucket: 'bucket', key: 'k' });
    await assert.rejects(first.headObject({ bucket: 'bucket', key: 'k' }), { code: 'NoSuchKey' });
  });

  it('share an upload', async (context) => {
    const { first, second } = await twoStores(context);
    const address = { bucket: 'bucket', key: 'k' };
    const { uploadId } = await first.createUpload({ ...address, headers: {} });
    const bytes = Buffer.from('part');
    const part = { ...address, uploadId, partNumber: 1, body: streamOf(bytes), lengthBytes: bytes.length };
    const { etag } = await second.uploadPart(part);
    await first.completeUpload({ ...address, uploadId, parts: [{ partNumber: 1, etag }] });
    assert.equal((await second.headObject(address)).sizeBytes, 4);
  });

  it('do not clear what a living one is writing', async (context) => {
    const root = await temporaryRoot(context);
    const first = await openStore(context, root);
    const body = (async function* () {
      yield Buffer.alloc(600_000, 'a');
      const late = await openStore(context, root); // Clears at its start what the dead left.
      assert.equal((await filesOnDisk(root)).length, 1);
      await late.close();
      yield Buffer.alloc(600_000, 'b');
    })();
    await first.putObject({ bucket: 'bucket', key: 'k', headers: {}, body, lengthBytes: 1_200_000 });
    const object = await first.getObject({ bucket: 'bucket', key: 'k' });
    assert.equal((await collect(object.body)).length, 1_200_000);
  });
});

describe('a joined object', () => {
  it('keeps its files until the last reader is through, whoever replaces it', async (context) => {
    const { root, first, second } = await twoStores(context);
    const parts = [Buffer.alloc(partBytes, 'a'), Buffer.alloc(partBytes, 'b'), Buffer.alloc(10, 'c')];
    await putJoined(first, 'k', parts);
    const readers = [];
    for (const store of [first, second]) readers.push(await store.getObject({ bucket: 'bucket', key: 'k' }));
    await put(second, 'k', Buffer.from('new'));
    assert.equal((await filesOnDisk(root)).length, 4);
    for (const { body } of readers) assert.ok(Buffer.concat(parts).equals(await collect(body)));
    assert.deepEqual(await filesOnDisk(root), filesInUse(root));
    assert.equal(filesInUse(root).length, 1);
  });

  it('gives a range within one part without touching the others, and frees them all', async (context) => {
    const { root, first } = await twoStores(context);
    await putJoined(first, 'k', [Buffer.alloc(partBytes, 'a'), Buffer.alloc(10, 'b')]);
    const object = await first.getObject({ bucket: 'bucket', key: 'k', range: { suffix: 5 } });
    await object.discard();
    await object.discard();
    await first.deleteObject({ bucket: 'bucket', key: 'k' });
    assert.deepEqual(await filesOnDisk(root), []);
  });

  it('frees what a reader held that was closed in mid-read', async (context) => {
    const { root, first, second } = await twoStores(context);
    await putJoined(second, 'k', [Buffer.alloc(partBytes, 'a'), Buffer.alloc(10, 'b')]);
    const held = await first.getObject({ bucket: 'bucket', key: 'k' });
    await second.deleteObject({ bucket: 'bucket', key: 'k' });
    assert.equal((await filesOnDisk(root)).length, 2);
    await first.close();
    await (await openStore(context, root)).close();
    assert.deepEqual(await filesOnDisk(root), []);
    await held.discard().catch(() => {});
  });
});

describe('an instance', () => {
  it('leaves no lock file of a worker thread that ended', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    const path = new URL('../../../../src/store/filesystem/filesystem-store.ts', import.meta.url).href;
    const script = `
      const { FilesystemStore } = await import(${JSON.stringify(path)});
      await FilesystemStore.open({ root: ${JSON.stringify(root)} });
      process.exit(0);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    await new Promise<void>((resolve, reject) => {
      worker.once('exit', () => resolve());
      worker.once('error', reject);
    });
    await (await openStore(context, root)).close();
    assert.equal((await readdir(join(root, 'instances'))).filter((name) => name.endsWith('.lock')).length, 1);
    await store.close();
    assert.deepEqual(await readdir(join(root, 'instances')), []);
  });
});
