import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { readAll, streamOf } from '../../../src/base/streams.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { completeUpload, createUpload, uploadPart } from '../../e2e/support/multipart.ts';
import type { ProviderObject } from '../../e2e/support/stored-object.ts';
import { suiteWithGateway } from '../../e2e/support/suite.ts';

const bucket = 'format-bucket';
const suite = suiteWithGateway([bucket]);
const content = Buffer.alloc(70_000, 'the same bytes every time. ');

/** The gateway's store, as the provider has it. */
async function openStore(): Promise<FilesystemStore> {
  return FilesystemStore.open({ root: join(suite.gateway.directory, 'objects') });
}

async function stored(key: string): Promise<ProviderObject> {
  const store = await openStore();
  try {
    const { body, headers } = await store.getObject({ bucket, key });
    return { bytes: Buffer.from(await readAll(body, 1_000_000, () => new Error('too long'))), headers };
  } finally {
    await store.close();
  }
}

async function put(key: string): Promise<ProviderObject> {
  const answer = await suite.s3.send({ method: 'PUT', bucket, key, body: content });
  assert.equal(answer.outcome, '200', answer.text);
  return stored(key);
}

async function upload(key: string): Promise<ProviderObject> {
  const started = await createUpload(suite.s3, bucket, key);
  const part = await uploadPart(suite.s3, started, 1, content);
  assert.equal((await completeUpload(suite.s3, started, [part])).outcome, '200');
  return stored(key);
}

/** Blocks of sixteen bytes of everything stored that is not zero. */
function blocks({ bytes }: ProviderObject): string[] {
  const found: string[] = [];
  for (let at = 0; at + 16 <= bytes.length; at += 16) found.push(bytes.toString('hex', at, at + 16));
  return found.filter((block) => !/^0+$/.test(block));
}

test('every PutObject and every CreateMultipartUpload has a DEK and a salt of its own (F1-KEY-1)', async () => {
  const objects = [
    await put('a'),
    await put('a'),
    await put('b'),
    await upload('c'),
    await upload('c'),
    await upload('d'),
  ];
  const envelopes = objects.map(({ headers }) => Buffer.from(headers['x-amz-meta-s3eg'] ?? '', 'base64url'));
  const salts = new Set(envelopes.map((bytes) => bytes.toString('hex', 4, 36)));
  const commitments = new Set(envelopes.map((bytes) => bytes.toString('hex', 36, 68)));
  assert.deepEqual([salts.size, commitments.size], [objects.length, objects.length]);
  const all = objects.flatMap(blocks);
  assert.equal(new Set(all).size, all.length, 'no two of them have a block of ciphertext in common');
});

test('a single object that the provider gives in another length is refused, by HEAD too (F1-META-3)', async () => {
  const key = 'shortened';
  const object = await put(key);
  const store = await openStore();
  try {
    for (const lengthBytes of [object.bytes.length - 1, object.bytes.length - 65_568, object.bytes.length + 1]) {
      const bytes = Buffer.alloc(lengthBytes);
      object.bytes.copy(bytes);
      await store.putObject({ bucket, key, headers: object.headers, body: streamOf(bytes), lengthBytes });
      assert.notEqual((await suite.s3.send({ method: 'HEAD', bucket, key })).outcome, '200');
      for (const headers of [{}, { range: 'bytes=0-9' }]) {
        const answer = await suite.s3.send({ method: 'GET', bucket, key, headers });
        assert.equal(answer.outcome, '500 ObjectCorrupted', answer.text);
      }
    }
  } finally {
    await store.close();
  }
});

test('a staged part whose name was changed to another length is not completed', async () => {
  const key = 'renamed';
  const started = await createUpload(suite.s3, bucket, key);
  const part = await uploadPart(suite.s3, started, 1, content);
  const store = await openStore();
  try {
    const { objects } = await store.listObjects({ bucket, version: 2, prefix: '.s3eg/uploads/' });
    const staged = objects.find((object) => object.key.endsWith(`-${content.length}`));
    assert.ok(staged !== undefined);
    const longer = staged.key.replace(/\d+$/, String(content.length + 1));
    const source = { bucket, key: staged.key };
    const { body, lengthBytes } = await store.getObject(source);
    await store.putObject({ bucket, key: longer, headers: {}, body, lengthBytes });
    await store.deleteObject(source);
    const [renamed] = (await store.listObjects({ bucket, version: 2, prefix: longer })).objects;
    // A client that gives the bare ETag, as ListParts of another replica may have shown it.
    const answer = await completeUpload(suite.s3, started, [{ ...part, etag: renamed?.etag ?? '' }]);
    assert.equal(answer.outcome, '500 ObjectCorrupted', answer.text);
  } finally {
    await store.close();
  }
});
