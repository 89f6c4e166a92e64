import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { fstatSync, statSync } from 'node:fs';
import { readdir, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import { collect, filesInUse, filesOnDisk, openStore, put, streamOf, temporaryRoot } from './helpers.ts';

const address = { bucket: 'bucket', key: 'k' };

describe('the files of a FilesystemStore', () => {
  it('keeps everything over a restart', async (context) => {
    const root = await temporaryRoot(context);
    const first = await openStore(context, root);
    const etag = await put(first, 'k', Buffer.from('content'), { 'x-amz-meta-a': 'b' });
    const { uploadId } = await first.createUpload({ ...address, headers: {} });
    await first.close();
    const second = await openStore(context, root);
    const head = await second.headObject(address);
    assert.deepEqual([head.etag, head.sizeBytes, head.headers['x-amz-meta-a']], [etag, 7, 'b']);
    assert.deepEqual((await second.listParts({ ...address, uploadId })).parts, []);
  });

  it('leaves no file behind that nothing refers to', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    const assertTidy = async (count: number): Promise<void> => {
      assert.deepEqual(await filesOnDisk(root), filesInUse(root));
      assert.equal(filesInUse(root).length, count);
    };
    await put(store, 'k', Buffer.alloc(100_000));
    await put(store, 'k', Buffer.alloc(200_000));
    await assertTidy(1);
    const body = streamOf(Buffer.alloc(5));
    await assert.rejects(store.putObject({ ...address, headers: {}, body, lengthBytes: 6 }));
    const refused = { ...address, headers: {}, body: streamOf(Buffer.alloc(5)), lengthBytes: 5 };
    await assert.rejects(store.putObject({ ...refused, conditions: { ifNoneMatch: '*' } }));
    await assertTidy(1);
    const { uploadId } = await store.createUpload({ ...address, headers: {} });
    for (const partNumber of [1, 2, 2]) {
      await store.uploadPart({ ...address, uploadId, partNumber, body: streamOf(Buffer.alloc(9)), lengthBytes: 9 });
    }
    await assertTidy(3);
    await store.abortUpload({ ...address, uploadId });
    await assertTidy(1);
    await store.deleteObjects({ bucket: 'bucket', objects: [{ key: 'k' }] });
    await assertTidy(0);
  });

  it('loses the race between condition and body without a trace', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    const body = (async function* () {
      await put(store, 'k', Buffer.from('the winner'));
      yield Buffer.from('the loser');
    })();
    const request = { ...address, headers: {}, body, lengthBytes: 9, conditions: { ifNoneMatch: '*' } };
    await assert.rejects(store.putObject(request), { code: 'PreconditionFailed' });
    assert.equal((await store.headObject(address)).sizeBytes, 10);
    assert.deepEqual(await filesOnDisk(root), filesInUse(root));
  });

  it('refuses a part whose upload was aborted meanwhile, without a trace', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    const { uploadId } = await store.createUpload({ ...address, headers: {} });
    const body = (async function* () {
      await store.abortUpload({ ...address, uploadId });
      yield Buffer.from('late');
    })();
    const request = { ...address, uploadId, partNumber: 1, body, lengthBytes: 4 };
    await assert.rejects(store.uploadPart(request), { code: 'NoSuchUpload' });
    assert.deepEqual(await filesOnDisk(root), []);
  });
});

describe('times of a FilesystemStore', () => {
  it('have milliseconds in listings and whole seconds in the Last-Modified header', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    const listed: number[] = [];
    // One write may fall on a whole second, not three that are some milliseconds apart.
    for (const key of ['a', 'b', 'c']) {
      const before = Date.now();
      await put(store, key, Buffer.from('x'));
      const { objects } = await store.listObjects({ bucket: 'bucket', version: 2, prefix: key });
      const time = Date.parse(objects[0]?.lastModified ?? '');
      assert.ok(before <= time && time <= Date.now(), `${time} is not between ${before} and now`);
      const { lastModified } = await store.headObject({ bucket: 'bucket', key });
      assert.equal(lastModified, new Date(time).toUTCString());
      listed.push(time);
      await sleep(7);
    }
    assert.ok(
      listed.some((time) => time % 1000 !== 0),
      String(listed),
    );
  });

  it('hold conditions on dates at whole seconds, as clients saw them', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    // Until the time of the object has a fraction of a second that a careless comparison would trip over.
    while (Date.now() % 1000 < 100) await sleep(10);
    await put(store, 'k', Buffer.from('x'));
    const { lastModified } = await store.headObject(address);
    await store.headObject({ ...address, conditions: { ifUnmodifiedSince: lastModified } });
    const unchanged = store.headObject({ ...address, conditions: { ifModifiedSince: lastModified } });
    await assert.rejects(unchanged, { code: 'NotModified' });
  });
});

describe('bytes in a FilesystemStore', () => {
  it('verifies Content-MD5', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    const bytes = Buffer.from('some bytes');
    await put(store, 'k', bytes, { 'content-md5': createHash('md5').update(bytes).digest('base64') });
    const wrong = createHash('md5').update('other bytes').digest('base64');
    await assert.rejects(put(store, 'k2', bytes, { 'content-md5': wrong }), { code: 'BadDigest' });
    await assert.rejects(store.headObject({ bucket: 'bucket', key: 'k2' }), { code: 'NoSuchKey' });
  });

  it('breaks off, and does not end, where a file is shorter than the index says', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    await put(store, 'k', Buffer.alloc(1_000_000));
    const [file = ''] = filesInUse(root);
    const path = join(root, 'data', file.slice(0, 2), file);
    await truncate(path, 999_999);
    const object = await store.getObject(address);
    await assert.rejects(collect(object.body), { code: 'ObjectCorrupted' });
    await unlink(path);
    await assert.rejects(store.getObject(address), { code: 'ObjectCorrupted' });
  });

  it('closes the file of a body that is left before its first byte', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    await put(store, 'k', Buffer.from('content'));
    const { body } = await store.getObject({ bucket: 'bucket', key: 'k' });
    assert.equal((await openContentFiles(root)).length, 1);
    await body[Symbol.asyncIterator]().return?.();
    assert.deepEqual(await openContentFiles(root), []);
  });

  it('gives a body once', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    await put(store, 'k', Buffer.from('x'));
    const object = await store.getObject(address);
    await collect(object.body);
    await assert.rejects(collect(object.body), /once/);
  });
});

describe('FilesystemStore', () => {
  it('is for its owner only', async (context) => {
    const root = join(await temporaryRoot(context), 'deep', 'root');
    const store = await openStore(context, root);
    await put(store, 'k', Buffer.from('x'));
    const [file = ''] = filesInUse(root);
    assert.equal((await stat(root)).mode & 0o777, 0o700);
    assert.equal((await stat(join(root, 'data', file.slice(0, 2), file))).mode & 0o777, 0o600);
  });

  it('says when it cannot be written', async (context) => {
    const root = await temporaryRoot(context);
    const store = await openStore(context, root);
    await rm(root, { recursive: true });
    const health = await store.health();
    assert.equal(health.ok, false);
    assert.match(health.reason ?? '', /cannot be written/);
  });

  it('refuses an index of a newer release', async (context) => {
    const root = await temporaryRoot(context);
    await (await FilesystemStore.open({ root })).close();
    const database = new DatabaseSync(join(root, 'index.sqlite'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    await assert.rejects(FilesystemStore.open({ root }), { code: 'newer_layout' });
  });

  it('says what keeps it from opening', async (context) => {
    const root = join(await temporaryRoot(context), 'file');
    await writeFile(root, 'not a folder');
    await assert.rejects(FilesystemStore.open({ root }), { code: 'cannot_open', message: /EEXIST/ });
  });

  it('refuses names that buckets and keys cannot have', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    for (const name of ['ab', 'Upper', 'under_score', '1.2.3.4', 'a..b', '-a-', '../../etc']) {
      await assert.rejects(store.createBucket(name, {}), { code: 'InvalidBucketName' }, name);
    }
    await assert.rejects(put(store, 'lone \ud800 surrogate', Buffer.alloc(0)), { code: 'InvalidArgument' });
    await assert.rejects(put(store, '', Buffer.alloc(0)), { code: 'InvalidArgument' });
  });

  it('keeps the location of a bucket', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    assert.equal(await store.getBucketLocation('bucket'), '');
    await store.createBucket('elsewhere', { locationConstraint: 'eu-central-1' });
    assert.equal(await store.getBucketLocation('elsewhere'), 'eu-central-1');
    assert.equal((await store.headBucket('bucket')).headers['x-amz-bucket-region'], 'us-east-1');
  });

  it('answers for each key of a deletion of many', async (context) => {
    const store = await openStore(context, await temporaryRoot(context));
    await put(store, 'k', Buffer.from('x'));
    const long = 'x'.repeat(1025);
    const objects = [{ key: 'k' }, { key: long }, { key: 'k', versionId: 'other' }];
    const outcomes = await store.deleteObjects({ bucket: 'bucket', objects });
    assert.deepEqual(
      outcomes.map((outcome) => outcome.errorCode),
      [undefined, 'KeyTooLongError', 'NoSuchVersion'],
    );
    const many = Array.from({ length: 1001 }, (_, index) => ({ key: `k${index}` }));
    await assert.rejects(store.deleteObjects({ bucket: 'bucket', objects: many }), { code: 'MalformedXML' });
  });
});

/** Content files under `root` that this process has open. */
async function openContentFiles(root: string): Promise<string[]> {
  const paths = (await filesOnDisk(root)).map((name) => join(root, 'data', name.slice(0, 2), name));
  const inodes = (await readdir('/dev/fd')).flatMap((name) => {
    try {
      return [fstatSync(Number(name)).ino];
    } catch {
      return []; // That of the listing itself.
    }
  });
  const open = new Set(inodes);
  return paths.filter((path) => open.has(statSync(path).ino));
}
