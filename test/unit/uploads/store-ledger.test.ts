import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { streamOf } from '../../../src/base/streams.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import type { ObjectStore, UploadAddress } from '../../../src/store/object-store.ts';
import { StoreLedger } from '../../../src/uploads/store/store-ledger.ts';
import type { StageRequest } from '../../../src/uploads/upload-ledger.ts';

const upload: UploadAddress = { bucket: 'photos', key: 'cat.jpg', uploadId: 'u1' };

/** A store with counted calls, whose listings have two keys a page. */
async function setUp(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 's3eg-ledger-'));
  const store = await FilesystemStore.open({ root });
  t.after(async () => {
    await store.close();
    await rm(root, { recursive: true });
  });
  await store.createBucket('photos', {});
  const calls: Record<string, number> = {};
  const counted: ObjectStore = new Proxy<ObjectStore>(store, {
    get(target, name: keyof ObjectStore) {
      if (name === 'listObjects') {
        return (...[request, options]: Parameters<ObjectStore['listObjects']>) => {
          calls[name] = (calls[name] ?? 0) + 1;
          return target.listObjects({ ...request, maxKeys: 2 }, options);
        };
      }
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...call: readonly unknown[]): unknown => {
        calls[name] = (calls[name] ?? 0) + 1;
        return Reflect.apply(member, target, call);
      };
    },
  });
  const replica = () => new StoreLedger(counted, { prefix: '.s3eg/' });
  return { store, calls, replica, ledger: replica() };
}

function uploadOf(index: number): UploadAddress {
  return { ...upload, uploadId: `u${index}` };
}

async function put(store: ObjectStore, key: string, content: string): Promise<void> {
  const bytes = Buffer.from(content);
  await store.putObject({ bucket: 'photos', key, headers: {}, body: streamOf(bytes), lengthBytes: bytes.length });
}

async function keysOf(store: ObjectStore): Promise<readonly string[]> {
  const { objects } = await store.listObjects({ bucket: 'photos', version: 2 });
  return objects.map(({ key }) => key);
}

function stage(partNumber: number, attempt: number, content = 'x'): StageRequest {
  const bytes = Buffer.from(content);
  const attemptTag = attempt.toString(16).padStart(16, '0');
  return { partNumber, attemptTag, plaintextBytes: 9, body: streamOf(bytes), lengthBytes: bytes.length };
}

async function collect(stream: ByteStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function s3Failure(code: string): (error: unknown) => boolean {
  return (error) => error instanceof S3Error && error.code === code;
}

test('an upload has a folder of its own, whose name tells nothing of the key', async (t) => {
  const { store, ledger } = await setUp(t);
  await ledger.record(upload, { envelope: 'e' });
  await ledger.stagePart(upload, stage(3, 0xab));
  const [part = '', record = '', ...others] = await keysOf(store);
  assert.deepEqual(others, []);
  assert.match(record, /^\.s3eg\/uploads\/[0-9a-f]{40}\/record$/);
  assert.equal(part, record.replace('record', 'part-00003-00000000000000ab-9'));
});

test('a record is read once, then remembered', async (t) => {
  const { replica, ledger, calls } = await setUp(t);
  await ledger.record(upload, { envelope: 'e' });
  const other = replica();
  for (let count = 0; count < 3; count++) {
    await other.find(upload);
    await ledger.find(upload);
  }
  assert.equal(calls['getObject'], 1);
});

test('so many records are remembered, the most recently used ones', async () => {
  // Without a store behind it: 4 096 puts would take long, and a read fails.
  const fake: ObjectStore = new Proxy<ObjectStore>(Object.create(null), {
    get: (_, name) => (name === 'putObject' ? () => Promise.resolve({ etag: '"e"', headers: {} }) : undefined),
  });
  const full = new StoreLedger(fake, { prefix: '.s3eg/' });
  for (let index = 0; index < 4096; index++) await full.record(uploadOf(index), { envelope: `e${index}` });
  assert.deepEqual(await full.find(uploadOf(0)), { envelope: 'e0' });
  await full.record(uploadOf(4096), { envelope: 'e4096' });
  assert.deepEqual(await full.find(uploadOf(0)), { envelope: 'e0' }, 'used a moment ago');
  assert.deepEqual(await full.find(uploadOf(2)), { envelope: 'e2' });
  await assert.rejects(full.find(uploadOf(1)), TypeError, 'the least recently used one is asked for');
});

test('a damaged record is an error of ours, not an upload that does not exist', async (t) => {
  const { store, ledger, replica } = await setUp(t);
  await ledger.record(upload, { envelope: 'e' });
  const [record = ''] = await keysOf(store);
  const damaged = [
    '',
    '{',
    'null',
    '[]',
    '"e"',
    '{"version":1}',
    '{"envelope":"e"}',
    '{"version":2,"envelope":"e"}',
    '{"version":"1","envelope":"e"}',
    '{"version":1,"envelope":7}',
    '{"version":1,"envelope":"e","checksum":"CRC32"}',
    '{"version":1,"envelope":"e","checksum":{"algorithm":"CRC32"}}',
    '{"version":1,"envelope":"e","checksum":{"algorithm":"ADLER","type":"COMPOSITE"}}',
    '{"version":1,"envelope":"e","checksum":{"algorithm":"CRC32","type":"composite"}}',
    `{"version":1,"envelope":"${'e'.repeat(16 * 1024)}"}`,
  ];
  for (const content of damaged) {
    await put(store, record, content);
    await assert.rejects(replica().find(upload), s3Failure('InternalError'), content.slice(0, 40));
  }
  // What cannot be read is not remembered.
  const other = replica();
  await assert.rejects(other.find(upload), s3Failure('InternalError'));
  await put(store, record, '{"version":1,"envelope":"good","note":"of a later version"}');
  assert.deepEqual(await other.find(upload), { envelope: 'good' });
});

test('a record that is too long is left after its first bytes', async () => {
  let pulled = 0;
  let released = false;
  const body = (async function* endless() {
    try {
      for (;;) {
        pulled += 1;
        yield new Uint8Array(8 * 1024);
      }
    } finally {
      released = true;
    }
  })();
  const fake: ObjectStore = new Proxy<ObjectStore>(Object.create(null), {
    get: (_, name) => (name === 'getObject' ? () => Promise.resolve({ body, lengthBytes: 10 }) : undefined),
  });
  await assert.rejects(new StoreLedger(fake, { prefix: 'p/' }).find(upload), s3Failure('InternalError'));
  assert.equal(pulled, 3);
  assert.ok(released);
});

test('a bucket that is gone has no uploads; other failures of the store are told', async (t) => {
  const { replica, ledger } = await setUp(t);
  assert.equal(await ledger.find({ ...upload, bucket: 'gone' }), undefined);
  await assert.rejects(ledger.record({ ...upload, bucket: 'gone' }, { envelope: 'e' }), s3Failure('NoSuchBucket'));
  const failure = new Error('the backend is away');
  const away: ObjectStore = new Proxy<ObjectStore>(Object.create(null), { get: () => () => Promise.reject(failure) });
  const ledgers = new StoreLedger(away, { prefix: '.s3eg/' });
  for (const promise of [
    ledgers.find(upload),
    ledgers.stagedParts(upload),
    ledgers.remove(upload),
    ledgers.record(upload, { envelope: 'e' }),
  ]) {
    await assert.rejects(promise, (error) => error === failure);
  }
  assert.equal(await replica().find(upload), undefined);
});

test('all attempts are found, however many pages they take, and all are removed', async (t) => {
  const { store, ledger, replica, calls } = await setUp(t);
  await ledger.record(upload, { envelope: 'e' });
  for (let attempt = 1; attempt <= 7; attempt++)
    await ledger.stagePart(upload, stage(8 - attempt, attempt, `${attempt}`));
  await put(store, 'cat.jpg', 'not of the ledger');
  const parts = await replica().stagedParts(upload);
  assert.deepEqual(
    parts.map(({ partNumber }) => partNumber),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.equal(calls['listObjects'], 4);
  for (const part of parts) {
    assert.equal(await collect(await ledger.readStagedPart(upload, part)), String(8 - part.partNumber));
  }
  await replica().remove(upload);
  assert.deepEqual(await keysOf(store), ['cat.jpg']);
});

test('the record goes last, so that a removal that was broken off can be taken up again', async (t) => {
  const { store, ledger, replica } = await setUp(t);
  await ledger.record(upload, { envelope: 'e' });
  for (let attempt = 1; attempt <= 3; attempt++) await ledger.stagePart(upload, stage(1, attempt));
  let deletions = 0;
  const failing: ObjectStore = new Proxy<ObjectStore>(store, {
    get(target, name: keyof ObjectStore) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...call: readonly unknown[]): unknown => {
        if (name === 'deleteObject' && (deletions += 1) > 2) return Promise.reject(new Error('the process dies'));
        return Reflect.apply(member, target, call);
      };
    },
  });
  await assert.rejects(new StoreLedger(failing, { prefix: '.s3eg/' }).remove(upload));
  assert.deepEqual(await replica().find(upload), { envelope: 'e' });
  assert.equal((await ledger.stagedParts(upload)).length, 1);
  await replica().remove(upload);
  assert.deepEqual(await keysOf(store), []);
});

test('what is not named as the ledger names parts is no staged part', async (t) => {
  const { store, ledger } = await setUp(t);
  await ledger.stagePart(upload, stage(1, 1));
  const [good = ''] = await keysOf(store);
  const folder = good.slice(0, good.lastIndexOf('/') + 1);
  const strange = [
    'part-00000-0000000000000001-9',
    'part-10001-0000000000000001-9',
    'part-99999-0000000000000001-9',
    'part-0001-0000000000000001-9',
    'part-000001-0000000000000001-9',
    'part-00001-000000000000001-9',
    'part-00001-00000000000000001-9',
    'part-00001-000000000000000A-9',
    'part-00001-0000000000000001-',
    'part-00001-0000000000000001-09',
    'part-00001-0000000000000001-00',
    'part-00001-0000000000000001--9',
    'part-00001-0000000000000001-9.tmp',
    'part-00001-0000000000000001-12345678901',
    'part-x/part-00002-0000000000000001-9',
    'part-',
    'part-00001-0000000000000001-9\n',
  ];
  for (const name of strange) await put(store, `${folder}${name}`, 'x');
  // The largest part that S3 takes may wait.
  await put(store, `${folder}part-09999-0000000000000001-5368709120`, 'x');
  await put(store, `${folder}part-10000-0000000000000001-0`, 'x');
  const parts = await ledger.stagedParts(upload);
  assert.deepEqual(
    parts.map(({ partNumber, plaintextBytes }) => [partNumber, plaintextBytes]),
    [
      [1, 9],
      [9999, 5 * 1024 ** 3],
      [10_000, 0],
    ],
  );
  // They go with the upload all the same.
  await ledger.remove(upload);
  assert.deepEqual(await keysOf(store), []);
});

test('a staged part that is gone means that the upload is over, and one with other bytes is invalid', async (t) => {
  const { ledger, replica } = await setUp(t);
  await ledger.stagePart(upload, stage(1, 1, 'first'));
  const [part] = await ledger.stagedParts(upload);
  assert.ok(part !== undefined);
  await ledger.stagePart(upload, stage(1, 1, 'other'));
  await assert.rejects(ledger.readStagedPart(upload, part), s3Failure('InvalidPart'));
  await replica().remove(upload);
  await assert.rejects(ledger.readStagedPart(upload, part), s3Failure('NoSuchUpload'));
});

test('an upload has a bounded number of staged attempts, and is removed however many it has', async (t) => {
  const { store } = await setUp(t);
  let pages = 0;
  let deleted = 0;
  let endsAfter = Number.POSITIVE_INFINITY;
  const endless: ObjectStore = new Proxy<ObjectStore>(store, {
    get(target, name) {
      if (name === 'deleteObject') {
        return async () => {
          deleted += 1;
        };
      }
      if (name !== 'listObjects') return Reflect.get(target, name);
      return async ({ prefix }: Parameters<ObjectStore['listObjects']>[0]) => {
        const objects = Array.from({ length: 1000 }, (_, index) => ({
          key: `${prefix}00001-${(pages * 1000 + index).toString(16).padStart(16, '0')}-9`,
          lastModified: '2026-01-01T00:00:00.000Z',
          etag: '"e"',
          sizeBytes: 9,
        }));
        pages += 1;
        return { objects, commonPrefixes: [], isTruncated: pages < endsAfter };
      };
    },
  });
  const ledger = new StoreLedger(endless, { prefix: '.s3eg/' });
  await assert.rejects(ledger.stagedParts(upload), s3Failure('InvalidRequest'));
  assert.equal(pages, 21);
  [pages, endsAfter] = [0, 30];
  await ledger.remove(upload);
  assert.deepEqual([pages, deleted], [30, 30_001]);
});
