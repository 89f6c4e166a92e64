import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import type { CopyObjectRequest } from '../../../../src/store/object-store.ts';
import { collect, filesInUse, filesOnDisk, openStore, put, temporaryRoot } from './helpers.ts';

const request: CopyObjectRequest = {
  bucket: 'bucket',
  key: 'copy',
  source: { bucket: 'bucket', key: 'k' },
  metadata: 'COPY',
  tags: 'COPY',
  headers: {},
};

async function content(store: FilesystemStore, key: string): Promise<string> {
  return (await collect((await store.getObject({ bucket: 'bucket', key })).body)).toString();
}

describe('copies in the embedded store', () => {
  it('have files of their own and leave none behind', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    await put(store, 'k', Buffer.from('content'));
    await store.copyObject(request);
    await store.copyObject(request);
    assert.equal((await filesOnDisk(root)).length, 2);
    assert.deepEqual(await filesOnDisk(root), filesInUse(root));
    await store.deleteObject({ bucket: 'bucket', key: 'k' });
    assert.equal(await content(store, 'copy'), 'content');
    assert.deepEqual(await filesOnDisk(root), filesInUse(root));
  });

  it('that are refused leave nothing behind', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    await put(store, 'k', Buffer.from('content'));
    await put(store, 'copy', Buffer.from('old'));
    const refused = [
      { ...request, conditions: { ifNoneMatch: '*' } },
      { ...request, sourceConditions: { ifMatch: '"other"' } },
      { ...request, source: { bucket: 'bucket', key: 'absent' } },
      { ...request, source: { bucket: 'bucket', key: 'k', versionId: 'v1' } },
      { ...request, bucket: 'nowhere' },
      { ...request, metadata: 'REPLACE' as const, headers: { 'x-amz-storage-class': 'GLACIER' } },
    ];
    for (const each of refused) await assert.rejects(store.copyObject(each));
    await assert.rejects(store.copyObject(request, { signal: AbortSignal.abort(new Error('gone')) }), /gone/);
    assert.equal(await content(store, 'copy'), 'old');
    assert.deepEqual(await filesOnDisk(root), filesInUse(root));
  });

  it('give the old content or the new one of a source that is being replaced', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    const states = ['a'.repeat(50_000), 'b'.repeat(70_000)];
    await put(store, 'k', Buffer.from(states[0] ?? ''));
    for (let round = 0; round < 20; round++) {
      const replacing = put(store, 'k', Buffer.from(states[round % 2] ?? ''));
      await Promise.all([store.copyObject(request), replacing]);
      assert.ok(states.includes(await content(store, 'copy')));
    }
    assert.deepEqual(await filesOnDisk(root), filesInUse(root));
  });

  it('leave the redirect of a website behind', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    const redirect = 'x-amz-website-redirect-location';
    await put(store, 'k', Buffer.from('x'), { [redirect]: '/old', 'cache-control': 'no-store' });
    await store.copyObject(request);
    const { headers } = await store.headObject({ bucket: 'bucket', key: 'copy' });
    assert.deepEqual([headers[redirect], headers['cache-control']], [undefined, 'no-store']);
    await store.copyObject({ ...request, headers: { [redirect]: '/new' } });
    assert.equal((await store.headObject({ bucket: 'bucket', key: 'copy' })).headers[redirect], '/new');
  });
});
