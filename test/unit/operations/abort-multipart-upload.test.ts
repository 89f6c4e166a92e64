import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { streamOf } from '../../../src/base/streams.ts';
import { abortMultipartUpload } from '../../../src/operations/abort-multipart-upload.ts';
import type { ObjectRequest } from '../../../src/operations/gateway.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { StoreLedger } from '../../../src/uploads/store/store-ledger.ts';

test('AbortMultipartUpload clears what a gateway left that died after its first step', async (context) => {
  const root = await mkdtemp(join(tmpdir(), 's3eg-abort-'));
  context.after(() => rm(root, { recursive: true }));
  await using store = await openStore(root);
  const ledger = new StoreLedger(store, { prefix: '.s3eg/' });
  await store.createBucket('bucket', {});
  const object = { bucket: 'bucket', key: 'k' };
  const { uploadId } = await store.createUpload({ ...object, headers: {} });
  const address = { ...object, uploadId };
  await ledger.record(address, { envelope: 'envelope' });
  const part = { partNumber: 1, attemptTag: '0123456789abcdef', plaintextBytes: 1, lengthBytes: 1 };
  await ledger.stagePart(address, { ...part, body: streamOf(Buffer.from('x')) });
  await store.abortUpload(address);

  const request = {
    ...object,
    query: new Map([['uploadId', uploadId]]),
    policy: { encryption: { mode: 'required' } },
    backend: { name: 'main', store, ledger },
    signal: new AbortController().signal,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  const abort = abortMultipartUpload(request as unknown as ObjectRequest);
  await assert.rejects(abort, { code: 'NoSuchUpload' });
  assert.deepEqual((await store.listObjects({ bucket: 'bucket', version: 2 })).objects, []);
});

async function openStore(root: string): Promise<FilesystemStore & AsyncDisposable> {
  const store = await FilesystemStore.open({ root });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
