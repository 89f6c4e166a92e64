import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { readAll, streamOf } from '../../../../src/base/streams.ts';
import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';
import {
  encodeEnvelope,
  envelopeHeader,
  keyLabel,
  keyLabelHeader,
  metadataDigest,
  sealEnvelope,
} from '../../../../src/envelope/envelope.ts';
import { dekAad, ObjectSecrets } from '../../../../src/envelope/object-secrets.ts';
import { storedSize } from '../../../../src/envelope/sizes.ts';
import { DataKeys } from '../../../../src/keys/data-keys.ts';
import { runRewrap, type RewrapJobOptions } from '../../../../src/maintenance/rewrap/rewrap-job.ts';
import { findGuard } from '../../../../src/maintenance/rewrap/self-copy.ts';
import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';
import type { ObjectStore } from '../../../../src/store/object-store.ts';
import { TestKeyService } from '../../keys/support.ts';

const bucket = 'b-test';
const life = { ttlMs: 60_000, offlineTtlMs: 0, maxObjects: 1000, maxBytes: 1e12 };

async function setUp(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 's3eg-rewrap-'));
  const store = await FilesystemStore.open({ root });
  const service = new TestKeyService('main');
  const opened: DataKeys[] = [];
  t.after(async () => {
    for (const dataKeys of opened) dataKeys.close();
    await store.close();
    await rm(root, { recursive: true });
  });
  await store.createBucket(bucket, {});
  /** A process of its own: what it has in memory is of now. */
  const dataKeysNow = (): DataKeys => {
    const dataKeys = new DataKeys(new Map([['main', service]]), life);
    opened.push(dataKeys);
    return dataKeys;
  };
  const failures: string[] = [];
  const run = (over: ObjectStore, more: Partial<RewrapJobOptions> = {}) => {
    const current = service.newest;
    return runRewrap(
      {
        store: over,
        bucket,
        prefix: '',
        reservedPrefix: '.s3eg/',
        keys: { dataKeys: dataKeysNow(), current: () => Promise.resolve(current) },
        dryRun: false,
        allVersions: false,
        rewrapVersions: false,
        concurrency: 4,
        ratePerSecond: 0,
        maxCopyBytes: 5 * 1024 ** 3,
        isUnguarded: false,
        ...more,
      },
      {
        seen() {},
        failed: (key, error) => void failures.push(`${key}: ${String(error)}`),
        position: () => Promise.resolve(),
      },
      { signal: AbortSignal.timeout(30_000) },
    );
  };
  return { store, service, writer: dataKeysNow(), failures, run };
}

/** An object with an envelope of its own around bytes that nobody decrypts here. */
async function put(store: ObjectStore, dataKeys: DataKeys, key: string, colour = 'blue'): Promise<void> {
  using secrets = ObjectSecrets.of(new SecretBytes(new Uint8Array(32).fill(key.length)), new Uint8Array(32).fill(1));
  const { salt, commitment } = secrets;
  const context = { policy: 'default', bucket };
  const request = { keyName: 'main', context, aad: dekAad(bucket, key, commitment), bytes: 1 };
  const wrapped = await dataKeys.wrap(secrets.dek, request);
  const described = { 'content-type': 'text/plain', 'x-amz-meta-colour': colour };
  const fields = { suite: 'aes-256-gcm', segmentSizeBytes: 65_536, layout: 'single', policy: 'default' } as const;
  const envelope = sealEnvelope(
    { ...fields, salt, commitment, floeHeader: new Uint8Array(74), ...wrapped },
    { metadataDigest: metadataDigest(described), checksums: [], payloadBytes: 100 },
    secrets,
  );
  const body = Buffer.alloc(storedSize(100), key);
  await store.putObject({
    bucket,
    key,
    headers: { ...described, [envelopeHeader]: encodeEnvelope(envelope), [keyLabelHeader]: keyLabel(envelope) },
    body: streamOf(body),
    lengthBytes: body.length,
  });
}

const nothing = { conditions: {} };

type Ignored = 'copyObject' | 'completeUpload';

/** The store as an S3 provider that passes over conditions on what these calls replace. */
function ignoring(store: ObjectStore, ignored: readonly Ignored[]): ObjectStore {
  const changed: Readonly<Record<string, unknown>> = {
    kind: 's3',
    copyObject: (request: Parameters<ObjectStore['copyObject']>[0]) => store.copyObject({ ...request, ...nothing }),
    completeUpload: (request: Parameters<ObjectStore['completeUpload']>[0]) =>
      store.completeUpload({ ...request, ...nothing }),
  };
  const isChanged = (name: string): boolean => name === 'kind' || ignored.some((method) => method === name);
  return new Proxy(store, {
    get(target, name) {
      if (typeof name === 'string' && isChanged(name)) return changed[name];
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function labelOf(store: ObjectStore, key: string): Promise<string | undefined> {
  return (await store.headObject({ bucket, key })).headers[keyLabelHeader];
}

async function bytesOf(store: ObjectStore, key: string): Promise<Uint8Array> {
  return await readAll((await store.getObject({ bucket, key })).body, 10_000, () => new Error('too long'));
}

test('how a backend guards copies is found out, and nothing is left of that', async (t) => {
  const { store } = await setUp(t);
  for (const [ignored, guard] of [
    [[], 'copy'],
    [['copyObject'], 'complete'],
    [['copyObject', 'completeUpload'], 'none'],
  ] as const) {
    assert.equal(await findGuard({ store: ignoring(store, ignored), bucket }, '.s3eg/rewrap/'), guard);
  }
  assert.deepEqual((await store.listObjects({ bucket, version: 2 })).objects, []);
  assert.deepEqual((await store.listUploads({ bucket })).uploads, []);
});

test('each guard brings objects under the current version, and keeps their bytes and headers', async (t) => {
  const { store, service, writer, failures, run } = await setUp(t);
  await put(store, writer, 'object');
  const bytes = await bytesOf(store, 'object');
  for (const [ignored, guard] of [
    [[], 'copy'],
    [['copyObject'], 'complete'],
  ] as const) {
    const version = service.addVersion();
    const done = await run(ignoring(store, ignored));
    assert.deepEqual([failures, done.tally.outcomes.rewrapped, done.guard], [[], 1, guard]);
    assert.equal(await labelOf(store, 'object'), `main:${version}`);
    assert.deepEqual(await bytesOf(store, 'object'), bytes);
    assert.equal((await store.headObject({ bucket, key: 'object' })).headers['x-amz-meta-colour'], 'blue');
  }
});

test('a backend that guards nothing is refused, unless nobody is said to write', async (t) => {
  const { store, service, writer, run } = await setUp(t);
  await put(store, writer, 'object');
  service.addVersion();
  const over = ignoring(store, ['copyObject', 'completeUpload']);
  await assert.rejects(run(over), /--unguarded/);
  assert.equal(await labelOf(store, 'object'), 'main:v1');
  const { tally, guard } = await run(over, { isUnguarded: true });
  assert.deepEqual([tally.outcomes.rewrapped, guard], [1, 'none']);
  assert.equal(await labelOf(store, 'object'), 'main:v2');
});

test('a key service that is away ends the run: its objects are not called failed', async (t) => {
  const { store, service, writer, failures, run } = await setUp(t);
  for (const key of ['a', 'bb', 'ccc']) await put(store, writer, key);
  service.addVersion();
  service.fail('unavailable');
  await assert.rejects(run(store), { code: 'unavailable' });
  assert.deepEqual(failures, []);
  assert.equal(await labelOf(store, 'a'), 'main:v1');
});

test('metadata that a client changes between two looks is not undone', async (t) => {
  const { store, service, writer, run } = await setUp(t);
  await put(store, writer, 'object');
  service.addVersion();
  let looks = 0;
  const changing = ignoring(store, []);
  const over = new Proxy(changing, {
    get(target, name) {
      if (name !== 'headObject') return Reflect.get(target, name);
      return async (request: Parameters<ObjectStore['headObject']>[0]) => {
        const head = await store.headObject(request);
        looks += request.key === 'object' ? 1 : 0;
        if (looks === 1 && request.key === 'object') await put(store, writer, 'object', 'red');
        // A provider's ETag names bytes, and these are the same.
        return request.key === 'object' && looks <= 2 ? { ...head, etag: '"bytes"' } : head;
      };
    },
  });
  const { tally } = await run(over);
  assert.equal(tally.outcomes.rewrapped, 1);
  const head = await store.headObject({ bucket, key: 'object' });
  assert.deepEqual([head.headers['x-amz-meta-colour'], head.headers[keyLabelHeader]], ['red', 'main:v2']);
});
