/** Rewrapping beside live traffic at real S3 servers: what is kept, who wins, and what a kill leaves. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startServer, type ServerName } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { keysBelow, Operator } from './support/operator.ts';
import { plaintext } from './support/plaintext.ts';
import { Daemon } from './support/processes.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { digest } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'rewrapped';
const seed = process.env['INTEROP_SEED'] ?? randomBytes(4).toString('hex');

interface Stored {
  readonly Metadata: Readonly<Record<string, string>>;
}

for (const name of ['minio', 'versitygw'] satisfies ServerName[]) {
  describe(`s3eg rewrap, ${name}`, () => {
    const workspace = ownWorkspace();
    let client: S3Client;
    let raw: S3Client;
    let operator: Operator;

    before(async () => {
      const backend = await startServer(name, workspace);
      const gateway = await Gateway.start({ workspace, backend, settings: { keys: keysBelow('./data') } });
      operator = await Operator.start(workspace, backend, gateway);
      const agent = await S3Agent.start(workspace);
      client = agent.client(gateway.access);
      raw = agent.client(backend.access);
      await client.createBucket(bucket);
    });

    /** The key version that each object below a prefix is under. */
    async function labels(Prefix: string): Promise<ReadonlyMap<string, string>> {
      const { Contents = [] } = await raw.call<{ Contents?: { Key: string }[] }>('list_objects_v2', {
        Bucket: bucket,
        Prefix,
      });
      const heads = Contents.map(async ({ Key }): Promise<[string, string]> => {
        const { Metadata } = await raw.call<Stored>('head_object', {
          Bucket: bucket,
          Key,
        });
        return [Key, Metadata['s3eg-key'] ?? ''];
      });
      return new Map(await Promise.all(heads));
    }

    async function facts(Key: string): Promise<unknown> {
      const got = await client.get(bucket, Key);
      const { TagSet } = await client.call<{ TagSet: { Key: string }[] }>('get_object_tagging', {
        Bucket: bucket,
        Key,
      });
      const { ContentLength, ContentType, Metadata, Body } = got;
      const { 'cache-control': cacheControl, 'content-disposition': disposition } = got.ResponseMetadata.HTTPHeaders;
      // versitygw gives them in any order.
      const tags = TagSet.toSorted((left, right) => left.Key.localeCompare(right.Key));
      return { ContentLength, ContentType, Metadata, sha256: Body.sha256, tags, cacheControl, disposition };
    }

    test('keeps bytes, metadata, headers and tags, in one copy and in parts', async () => {
      const options = {
        Metadata: { colour: 'blue', name: 'a  b' },
        ContentType: 'text/plain',
        CacheControl: 'max-age=60',
        ContentDisposition: 'attachment; filename="a.txt"',
        Tagging: 'team=red&cost=high',
      };
      await client.put(bucket, 'kept/small', plaintext('small', 100_000), options);
      await client.put(bucket, 'kept/empty', Buffer.alloc(0));
      const body = plaintext('large', 12 * mebibyte);
      const upload = await client.createUpload(bucket, 'kept/large', options);
      await client.complete(upload, [
        await client.uploadPart(upload, 1, body.subarray(0, 7 * mebibyte)),
        await client.uploadPart(upload, 2, body.subarray(7 * mebibyte)),
      ]);
      const keys = ['kept/small', 'kept/empty', 'kept/large'];
      const before = await Promise.all(keys.map(facts));
      for (const args of [[], ['--parts-above', String(5 * mebibyte)]]) {
        const version = await operator.rotate();
        const report = await operator.rewrap(bucket, '--prefix', 'kept/', ...args);
        assert.deepEqual([report.failures, report.outcomes['rewrapped']], [[], 3]);
        assert.deepEqual(new Set((await labels('kept/')).values()), new Set([`local:${version}`]));
        assert.deepEqual(await Promise.all(keys.map(facts)), before);
      }
      const range = await client.get(bucket, 'kept/large', { Range: 'bytes=7340000-7340050' });
      assert.equal(range.Body.sha256, digest(body.subarray(7340000, 7340051)));
    });

    test('lets writes that come in between win', async () => {
      const keys = Array.from({ length: 6 }, (_, index) => `busy/${index}`);
      for (const key of keys) await client.put(bucket, key, Buffer.from('first'));
      const over = new AbortController();
      const lost: string[] = [];
      const write = async (key: string): Promise<void> => {
        for (let count = 0; !over.signal.aborted; count++) {
          const body = Buffer.from(`${key} ${count}`);
          await client.put(bucket, key, body, { Metadata: { count: String(count) } });
          const got = await client.get(bucket, key);
          await sleep(count % 3 === 0 ? 100 : 0);
          if (got.Body.sha256 !== digest(body) || got.Metadata['count'] !== String(count)) lost.push(`${key} ${count}`);
        }
      };
      const writers = Promise.all(keys.map(write));
      let met = 0;
      for (let count = 0; count < 3; count++) {
        // What the writers write is under the one key, so every object has to be brought under the other.
        const report = await operator.rewrap(bucket, '--prefix', 'busy/', '--concurrency', '6', '--to', 'spare');
        assert.equal(report.guard, 'complete');
        met += (report.outcomes['rewrapped'] ?? 0) + (report.outcomes['busy'] ?? 0);
        assert.deepEqual(report.failures, []);
      }
      over.abort();
      await writers;
      assert.deepEqual(lost, []);
      assert.ok(met > 0, 'rewraps and writes met');
    });
  });
}

describe('s3eg rewrap, minio, versions and kills', () => {
  const workspace = ownWorkspace();
  let client: S3Client;
  let raw: S3Client;
  let operator: Operator;

  before(async () => {
    const backend = await startServer('minio', workspace);
    const gateway = await Gateway.start({ workspace, backend, settings: { keys: keysBelow('./data') } });
    operator = await Operator.start(workspace, backend, gateway);
    const agent = await S3Agent.start(workspace);
    client = agent.client(gateway.access);
    raw = agent.client(backend.access);
    await raw.call('create_bucket', { Bucket: bucket, ObjectLockEnabledForBucket: true });
  });

  test('a locked object keeps its lock in the new version; old versions are counted under their key', async () => {
    await client.put(bucket, 'twice', Buffer.from('one'));
    await client.put(bucket, 'twice', Buffer.from('two'));
    const until = new Date(Date.now() + 3_600_000).toISOString();
    await client.put(bucket, 'locked', Buffer.from('kept'), {
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockRetainUntilDate: until,
      ObjectLockLegalHoldStatus: 'ON',
    });
    const version = await operator.rotate();
    const report = await operator.rewrap(bucket, '--all-versions');
    assert.deepEqual([report.failures, report.outcomes['rewrapped'], report.locked], [[], 2, 1]);
    const byVersion = Object.fromEntries(
      report.versions
        .filter(({ keyName }) => keyName === 'local')
        .map(({ keyVersion, objects, oldVersions, mayBeRetired }) => [
          keyVersion,
          { objects, oldVersions, mayBeRetired },
        ]),
    );
    assert.deepEqual(byVersion, {
      [version]: { objects: 2, oldVersions: 0, mayBeRetired: false },
      // What was current before, and the version behind it.
      1: { objects: 0, oldVersions: 3, mayBeRetired: false },
    });
    const all = await operator.rewrap(bucket, '--rewrap-versions');
    assert.deepEqual([all.failures, all.outcomes['rewrapped'], all.oldVersionsRewrapped], [[], 0, 3]);
    const first = all.versions.find(({ keyName, keyVersion }) => keyName === 'local' && keyVersion === '1');
    assert.deepEqual([first?.objects, first?.oldVersions], [0, 0]);
    const head = await raw.call<Record<string, unknown>>('head_object', { Bucket: bucket, Key: 'locked' });
    assert.deepEqual([head['ObjectLockMode'], head['ObjectLockLegalHoldStatus']], ['GOVERNANCE', 'ON']);
    assert.match(JSON.stringify(head['ObjectLockRetainUntilDate']), new RegExp(until.slice(0, 16)));
    assert.equal((await client.get(bucket, 'locked')).Body.sha256, digest(Buffer.from('kept')));
  });

  test('killed ten times at any point, it then brings everything to its end', async () => {
    const bodies = new Map(
      Array.from({ length: 80 }, (_, index) => [`killed/${index}`, plaintext(`${index}`, 10 + index * 991)]),
    );
    await Promise.all(Array.from(bodies, ([key, body]) => client.put(bucket, key, body)));
    const version = await operator.rotate();
    const args = ['rewrap', '--bucket', bucket, '--prefix', 'killed/', '--rate', '20', '--concurrency', '3'];
    // MinIO's copies are uploads of one part, which their ETags tell: one request counts them.
    const done = async (): Promise<number> => {
      const listed = await raw.call<{ Contents: { ETag: string }[] }>('list_objects_v2', {
        Bucket: bucket,
        Prefix: 'killed/',
      });
      return listed.Contents.filter(({ ETag }) => ETag.includes('-1')).length;
    };
    for (let count = 0; count < 10; count++) {
      const enough =
        (await done()) + 1 + (createHash('sha256').update(`${seed} ${count}`).digest().readUInt16BE(0) % 3);
      const daemon = await Daemon.start(operator.command(...args), () => true);
      while ((await done()) < enough) await sleep(20);
      await daemon.kill();
    }
    const before = await done();
    assert.ok(before >= 10 && before < bodies.size, `${before} were done, seed ${seed}`);
    const report = await operator.rewrap(bucket, '--prefix', 'killed/');
    assert.deepEqual([report.ok, report.failures], [true, []], `seed ${seed}`);
    assert.equal(report.outcomes['rewrapped'], bodies.size - before, `seed ${seed}`);
    const current = report.versions.find(({ keyVersion }) => keyVersion === version);
    assert.equal(current?.objects, bodies.size, `seed ${seed}`);
    for (const [key, body] of bodies) {
      assert.equal((await client.get(bucket, key)).Body.sha256, digest(body), `${key}, seed ${seed}`);
    }
  });
});
