import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { streamOf } from '../../../../src/base/streams.ts';
import { encodeRecord, recordPath } from '../../../../src/envelope/envelope-record.ts';
import { SeenVersions, sweepRecords, type SweepOptions } from '../../../../src/maintenance/rewrap/record-sweep.ts';
import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import { single } from '../../envelope/envelope-support.ts';

const bucket = 'b-test';
const reservedPrefix = '.s3eg/';
const { envelope } = single(3);

async function setUp(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 's3eg-sweep-'));
  const store = await FilesystemStore.open({ root });
  t.after(async () => {
    await store.close();
    await rm(root, { recursive: true });
  });
  await store.createBucket(bucket, {});
  const put = async (key: string, body: Uint8Array): Promise<void> => {
    await store.putObject({ bucket, key, headers: {}, body: streamOf(body), lengthBytes: body.length });
  };
  const record = async (key: string, at = recordPath(key, 'null')): Promise<void> => {
    await put(`${reservedPrefix}${at}`, encodeRecord({ key, versionId: 'null', envelope }));
  };
  const sweep = (more: Partial<SweepOptions> = {}): Promise<number> =>
    sweepRecords({ store, bucket, reservedPrefix, seen: new SeenVersions(), dryRun: false, ...more });
  const paths = async (): Promise<readonly string[]> => {
    const { objects } = await store.listObjects({ bucket, version: 2, prefix: reservedPrefix });
    return objects.map(({ key }) => key.slice(reservedPrefix.length));
  };
  return { put, record, sweep, paths };
}

test('records of versions that are gone are removed, and only they', async (t) => {
  const { put, record, sweep, paths } = await setUp(t);
  await put('there', Buffer.from('x'));
  await record('there');
  await record('gone');
  await record('gone', recordPath('another', 'null'));
  await put(`${reservedPrefix}${recordPath('junk', 'null')}`, Buffer.from('{'));
  await put(`${reservedPrefix}envelopes/README`, Buffer.from('not ours'));
  await put(`${reservedPrefix}canary/main`, Buffer.from('{}'));
  const before = await paths();
  assert.equal(await sweep({ dryRun: true }), 1);
  assert.deepEqual(await paths(), before);
  assert.equal(await sweep(), 1);
  assert.deepEqual(
    await paths(),
    before.filter((path) => path !== recordPath('gone', 'null')),
  );
  assert.equal(await sweep(), 0);
});

test('what the run has seen is not looked at', async (t) => {
  const { record, sweep, paths } = await setUp(t);
  await record('gone');
  const seen = new SeenVersions();
  seen.add({ key: 'gone', versionId: 'null' });
  assert.equal(await sweep({ seen }), 0);
  assert.equal((await paths()).length, 1);
});

test('each shard removes those of its own objects', async (t) => {
  const { record, sweep, paths } = await setUp(t);
  const count = 3;
  for (let index = 0; index < 20; index++) await record(`gone ${index}`);
  const removed = [];
  for (let index = 0; index < count; index++) removed.push(await sweep({ shard: { index, count } }));
  assert.deepEqual(await paths(), []);
  assert.equal(
    removed.reduce((sum, each) => sum + each, 0),
    20,
  );
  assert.ok(removed.every((each) => each > 0 && each < 20));
});
