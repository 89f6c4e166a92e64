import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { runSeed, SeededRandom, seededBytes } from './support/bytes.ts';
import { sha256Hex } from './support/checksums.ts';
import { S3Client } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { keyLabels } from './support/key-labels.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { ageVersions, commandAt, objectsBy, rewrap, rotate, startRewrap } from './support/rewrap.ts';

const bucket = 'my-bucket';
const mebibyte = 1024 * 1024;
const described = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'max-age=60',
  'content-disposition': 'attachment; filename="a.txt"',
  'content-encoding': 'identity',
  'content-language': 'de',
  expires: 'Thu, 01 Dec 2033 16:00:00 GMT',
  'x-amz-meta-colour': 'blue',
  'x-amz-meta-latin': 'K\u00e4se',
  'x-amz-website-redirect-location': '/elsewhere',
};
/** What a HEAD says of an object but its state: a rewrap is a change of the object. */
const ofTheState = new Set(['etag', 'last-modified', 'date', 'x-amz-request-id', 'x-amz-id-2', 'connection']);

describe('s3eg rewrap', () => {
  let gateway: Gateway;
  let s3: S3Client;

  before(async () => {
    gateway = await Gateway.start({ config: { keys: { local: local('keyring'), spare: local('spare') } } });
    s3 = new S3Client(gateway);
    await s3.createBucket(bucket);
  });

  after(async () => {
    s3[Symbol.dispose]();
    await gateway[Symbol.asyncDispose]();
  });

  it('brings every object under the current version, and changes nothing else of it', async () => {
    const objects = await putSamples(s3);
    const earlier = await stateOf(s3, objects);
    await rotate(gateway);
    const dry = await rewrap(gateway, '--bucket', bucket, '--dry-run');
    assert.deepEqual([dry.code, dry.outcomes['rewrapped'], dry.guard], [0, objects.size, undefined]);
    assert.deepEqual(objectsBy(dry), { 2: 0, 1: objects.size });
    assert.deepEqual(labels(), new Set(['local:1']));
    const done = await rewrap(gateway, '--bucket', bucket);
    assert.deepEqual([done.code, done.outcomes['rewrapped'], done.guard], [0, objects.size, 'copy']);
    assert.deepEqual(labels(), new Set(['local:2']));
    assert.deepEqual(await stateOf(s3, objects), earlier);
    const early = await rewrap(gateway, '--bucket', bucket, '--dry-run');
    const old = early.versions.find(({ keyName, keyVersion }) => `${keyName}:${keyVersion}` === 'local:1');
    assert.deepEqual([old?.objects, old?.mayBeRetired], [0, false], 'a gateway may still write under it');
    const refused = await commandAt(gateway, 'keys', 'retire', '--key', 'local', '--key-version', '1');
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /gateways may still write under version 1: wait [1-6] s, .* or give --now\n$/);
    await ageVersions(gateway);
    const again = await rewrap(gateway, '--bucket', bucket);
    assert.deepEqual([again.outcomes['rewrapped'], again.outcomes['current']], [0, objects.size]);
    assert.deepEqual(objectsBy(again), { 2: objects.size, 1: 0 });
    assert.deepEqual(
      again.versions.map(({ keyName, keyVersion, mayBeRetired }) => `${keyName}:${keyVersion} ${mayBeRetired}`),
      ['local:2 false', 'local:1 true', 'spare:1 false'],
    );
    // The canary has moved along: a gateway that starts anew needs version 1 no more.
    assert.equal((await commandAt(gateway, 'keys', 'retire', '--key', 'local', '--key-version', '1')).code, 0);
    await delay(1100);
    assert.deepEqual(await stateOf(s3, objects), earlier);
    const canary = await rewrap(gateway, '--bucket', bucket);
    assert.equal(canary.code, 0);
  });

  it('copies in parts what is too long for one copy, with tags and all', async () => {
    await rotate(gateway);
    const key = 'samples/multipart';
    const earlier = await stateOf(s3, [key]);
    const done = await rewrap(gateway, '--bucket', bucket, '--prefix', key, '--parts-above', String(5 * mebibyte));
    assert.equal(done.outcomes['rewrapped'], 1);
    assert.deepEqual(await stateOf(s3, [key]), earlier);
    const range = await s3.send({ method: 'GET', bucket, key, headers: { range: 'bytes=6291450-6291470' } });
    assert.deepEqual(range.body, multipartBody.subarray(6291450, 6291471));
    await rewrap(gateway, '--bucket', bucket);
  });

  it('moves what is under one version of one key to another key', async () => {
    await s3.put(bucket, 'moved', 'moved');
    const from = keyLabels(gateway.directory, bucket)['moved'] ?? '';
    const other = await rewrap(gateway, '--bucket', bucket, '--from', 'local:99', '--to', 'spare');
    assert.equal(other.outcomes['rewrapped'], 0);
    const done = await rewrap(gateway, '--bucket', bucket, '--prefix', 'moved', '--from', from, '--to', 'spare');
    assert.deepEqual([done.outcomes['rewrapped'], objectsBy(done, 'spare')], [1, { 1: 1 }]);
    assert.equal(keyLabels(gateway.directory, bucket)['moved'], 'spare:1');
    assert.equal((await s3.send({ method: 'GET', bucket, key: 'moved' })).body.toString(), 'moved');
    await rewrap(gateway, '--bucket', bucket, '--to', 'local');
    assert.deepEqual(labels().size, 1);
  });

  it('shares the work among shards without doing or leaving anything twice', async () => {
    await rotate(gateway);
    const total = Object.keys(keyLabels(gateway.directory, bucket)).length;
    const shards = [];
    for (const index of [0, 1, 2]) shards.push(await rewrap(gateway, '--bucket', bucket, '--shard', `${index}/3`));
    const counts = shards.map(({ outcomes }) => outcomes['rewrapped'] ?? 0);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      total,
      counts.join(),
    );
    assert.ok(counts.filter((count) => count > 0).length >= 2, counts.join());
    assert.equal(labels().size, 1);
    assert.ok(shards.every(({ versions }) => versions.every(({ mayBeRetired }) => !mayBeRetired)));
  });

  it('counts uploads in progress, whose objects will be under the old version', async () => {
    const upload = await createUpload(s3, bucket, 'slow');
    await rotate(gateway);
    const first = await rewrap(gateway, '--bucket', bucket);
    const counted = first.versions.find(({ uploads }) => uploads === 1);
    assert.ok(counted !== undefined);
    const { keyVersion: old, isCurrent, mayBeRetired } = counted;
    assert.deepEqual([isCurrent, counted.objects, mayBeRetired], [false, 0, false]);
    await completeUpload(s3, upload, [await uploadPart(s3, upload, 1, 'late')]);
    assert.equal(keyLabels(gateway.directory, bucket)['slow'], `local:${old}`);
    await ageVersions(gateway);
    const second = await rewrap(gateway, '--bucket', bucket);
    const [current] = await lastVersions();
    assert.equal(keyLabels(gateway.directory, bucket)['slow'], `local:${current}`);
    assert.equal(second.versions.find(({ keyVersion }) => keyVersion === old)?.mayBeRetired, true);
  });

  it('leaves what is damaged or not encrypted as it is, names it, and calls nothing free to be retired', async () => {
    await rotate(gateway);
    const [current = ''] = await lastVersions();
    await s3.put(bucket, 'zz-damaged', 'x', { 'x-amz-meta-colour': 'red' });
    await rewrap(gateway, '--bucket', bucket);
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(join(gateway.directory, 'objects', 'index.sqlite'));
    database
      .prepare(`UPDATE object SET headers = replace(headers, '"red"', '"green"') WHERE key = ?`)
      .run(Buffer.from('zz-damaged'));
    database.close();
    await rotate(gateway);
    const done = await rewrap(gateway, '--bucket', bucket);
    assert.deepEqual([done.code, done.ok, done.failed], [1, false, 1]);
    assert.deepEqual(
      done.failures.map(({ key, code }) => [key, code]),
      [['zz-damaged', 'authentication_failed']],
    );
    assert.equal(keyLabels(gateway.directory, bucket)['zz-damaged'], `local:${current}`);
    assert.ok(done.versions.every(({ mayBeRetired }) => !mayBeRetired));
    await s3.send({ method: 'DELETE', bucket, key: 'zz-damaged' });
    await rewrap(gateway, '--bucket', bucket);
  });

  it('is killed ten times at any point, and then has everything whole and current', async () => {
    const random = new SeededRandom(`rewrap ${runSeed}`);
    const sizes = Array.from({ length: 100 }, (_, index) => 1 + index * 997);
    const bodies = new Map(sizes.map((size) => [`killed/${size}`, seededBytes(`${size}`, size)]));
    for (const [key, body] of bodies) assert.equal((await s3.put(bucket, key, body)).outcome, '200');
    await rotate(gateway);
    const [current] = await lastVersions();
    const args = ['--bucket', bucket, '--prefix', 'killed/'];
    const done = (): number => countOf('killed/', `local:${current}`);
    for (let count = 0; count < 10; count++) {
      const enough = done() + 1 + random.below(4);
      const child = await startRewrap(gateway, ...args, '--rate', '40', '--concurrency', '3');
      const ended = once(child, 'close');
      while (done() < enough && child.exitCode === null) await delay(5);
      child.kill('SIGKILL');
      await ended;
      assert.equal(child.signalCode, 'SIGKILL');
    }
    const before = done();
    assert.ok(before >= 10 && before < bodies.size, `${before} were done, seed ${runSeed}`);
    const { code, outcomes } = await rewrap(gateway, ...args);
    assert.deepEqual([code, outcomes['rewrapped']], [0, bodies.size - before], `seed ${runSeed}`);
    assert.equal(done(), bodies.size, `seed ${runSeed}`);
    for (const [key, body] of bodies) {
      const got = await s3.send({ method: 'GET', bucket, key });
      assert.ok(got.body.equals(body), `${key}, seed ${runSeed}`);
    }
  });

  it('goes on from its state file, with the counts of before', async () => {
    await rotate(gateway);
    const state = join(gateway.directory, 'state.json');
    const args = ['--bucket', bucket, '--prefix', 'killed/', '--state', state];
    const { stdout } = await commandAt(gateway, 'rewrap', '--dry-run', '--json', ...args);
    const [{ outcomes }]: [{ outcomes: object }] = JSON.parse(stdout);
    assert.equal(existsSync(state), false, 'removed at the end');
    const next = { keyMarker: 'killed/~', versionIdMarker: '' };
    const under = [{ keyName: 'local', keyVersion: '1', objects: 7, oldVersions: 0, uploads: 0 }];
    const tally = { outcomes, failed: 0, failures: [], locked: 0, oldVersionsNotLookedAt: 0, under };
    const of = { bucket, backend: 'main', prefix: 'killed/', allVersions: false, dryRun: false };
    await writeFile(state, JSON.stringify({ version: 1, of, position: { next, tally } }));
    const done = await rewrap(gateway, ...args);
    assert.deepEqual([done.code, objectsBy(done)['1'], done.outcomes], [0, 7, outcomes]);
    assert.equal(existsSync(state), false);
    await rewrap(gateway, '--bucket', bucket);
  });

  it('lets concurrent writes win', async () => {
    await rotate(gateway);
    const keys = Array.from({ length: 10 }, (_, index) => `busy/${index}`);
    const last = new Map<string, string>();
    const over = new AbortController();
    const write = async (key: string): Promise<void> => {
      using own = new S3Client(gateway);
      for (let count = 0; !over.signal.aborted; count++) {
        const body = `${key} ${count}`;
        assert.equal((await own.put(bucket, key, body, { 'x-amz-meta-count': String(count) })).outcome, '200');
        last.set(key, body);
      }
    };
    const writers = Promise.all(keys.map(write));
    let met = 0;
    for (let count = 0; count < 4; count++) {
      // What the writers write is under the one key, so every object has to be brought under the other.
      const args = ['--bucket', bucket, '--prefix', 'busy/', '--concurrency', '10', '--to', 'spare'];
      const { failed, outcomes } = await rewrap(gateway, ...args);
      assert.equal(failed, 0);
      met += (outcomes['rewrapped'] ?? 0) + (outcomes['busy'] ?? 0);
    }
    assert.ok(met > 0, 'rewraps and writes met');
    over.abort();
    await writers;
    for (const [key, body] of last) {
      const got = await s3.send({ method: 'GET', bucket, key });
      assert.deepEqual([got.body.toString(), got.headers['x-amz-meta-count']], [body, body.split(' ')[1]]);
    }
  });

  it('refuses options that mean nothing, and the state of another run', async () => {
    const codeOf = async (...args: readonly string[]): Promise<number | null> =>
      (await commandAt(gateway, 'rewrap', ...args)).code;
    assert.equal(await codeOf(), 2);
    assert.equal(await codeOf('--bucket', bucket, '--shard', '3/3'), 2);
    assert.equal(await codeOf('--bucket', bucket, '--from', 'nobody:1'), 2);
    assert.equal(await codeOf('--bucket', bucket, '--to', 'nobody'), 2);
    assert.equal(await codeOf('--bucket', bucket, '--rate', '-1'), 2);
    assert.equal(await codeOf('--bucket', 'not-there'), 3);
    const state = join(gateway.directory, 'other.json');
    const position = { next: { keyMarker: 'x', versionIdMarker: '' }, tally: {} };
    await writeFile(state, JSON.stringify({ version: 1, of: { bucket: 'other' }, position }));
    assert.equal(await codeOf('--bucket', bucket, '--state', state), 2);
    assert.match(await readFile(state, 'utf8'), /other/);
  });

  function labels(): ReadonlySet<string> {
    return new Set(Object.values(keyLabels(gateway.directory, bucket)));
  }

  function countOf(prefix: string, label: string): number {
    const found = Object.entries(keyLabels(gateway.directory, bucket));
    return found.filter(([key, own]) => key.startsWith(prefix) && own === label).length;
  }

  /** Versions of the key, newest first. */
  async function lastVersions(): Promise<readonly string[]> {
    const { stdout } = await commandAt(gateway, 'keys', 'list', '--key', 'local', '--json');
    const { keys }: { keys: { versions: { version: string }[] }[] } = JSON.parse(stdout);
    return (keys[0]?.versions ?? []).map(({ version }) => version);
  }
});

const multipartBody = seededBytes('multipart', 11 * mebibyte);

function local(name: string): Readonly<Record<string, string>> {
  return { type: 'local', file: `./${name}.json` };
}

/** Objects of every form; gives their keys. */
async function putSamples(s3: S3Client): Promise<ReadonlySet<string>> {
  const bodies = {
    'samples/empty': '',
    'samples/small': 'hello',
    'samples/k\u00e4se +%20 //x': 'odd key',
    'samples/segments': seededBytes('segments', 200_000),
  };
  for (const [key, body] of Object.entries(bodies)) {
    const tagged = { ...described, 'x-amz-tagging': 'team=red&cost=high' };
    const answer = await s3.put(bucket, key, body, key === 'samples/empty' ? {} : tagged);
    assert.equal(answer.outcome, '200', answer.text);
  }
  const tagging = { 'x-amz-tagging': 'a=1&b=two' };
  const upload = await createUpload(s3, bucket, 'samples/multipart', { ...described, ...tagging });
  const parts = [];
  for (const [number, first] of [0, 5, 10].entries()) {
    const body = multipartBody.subarray(first * mebibyte, (first + 5) * mebibyte);
    parts.push(await uploadPart(s3, upload, number + 1, body));
  }
  await completeUpload(s3, upload, parts);
  return new Set([...Object.keys(bodies), 'samples/multipart']);
}

/** Everything that clients see of objects, but when they were changed. */
async function stateOf(s3: S3Client, keys: Iterable<string>): Promise<unknown> {
  const states = [];
  for (const key of keys) {
    const got = await s3.send({ method: 'GET', bucket, key });
    assert.equal(got.outcome, '200', `${key}: ${got.text}`);
    const tags = await s3.send({ method: 'GET', bucket, key, query: { tagging: '' } });
    const headers = Object.entries(got.headers).filter(([name]) => !ofTheState.has(name));
    states.push([key, sha256Hex(got.body), Object.fromEntries(headers), tags.text]);
  }
  return states;
}
