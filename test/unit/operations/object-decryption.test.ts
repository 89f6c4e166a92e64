import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';

import { streamOf } from '../../../src/base/streams.ts';
import {
  encodeEnvelope,
  envelopeHeader,
  metadataDigest,
  sealEnvelope,
  type Envelope,
} from '../../../src/envelope/envelope.ts';
import { encodeRecord, recordPath } from '../../../src/envelope/envelope-record.ts';
import { dekAad, ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { storedSize } from '../../../src/envelope/sizes.ts';
import { DataKeys } from '../../../src/keys/data-keys.ts';
import type { KeyErrorCode } from '../../../src/keys/key-provider.ts';
import { EnvelopesBeside } from '../../../src/operations/envelope-beside.ts';
import { openObject } from '../../../src/operations/object-decryption.ts';
import { s3Error } from '../../../src/s3/s3-error.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';
import { TestKeyService } from '../keys/support.ts';

const [bucket, key, versionId, reservedPrefix] = ['b-test', 'a/key', 'id-1', '.s3eg/'];
const headers = { 'content-type': 'text/plain' };
const plaintextBytes = 100;
const policy = {
  name: 'default',
  match: { buckets: [], prefixes: [], accessKeys: [] },
  backend: 'main',
  encryption: {
    mode: 'required',
    key: 'old',
    suite: 'aes-256-gcm',
    segmentSizeBytes: 65_536,
    unencryptedReads: 'deny',
    etag: 'opaque',
  },
  limits: { maxObjectBytes: 1e12 },
} as const;

/** A version under the key "old", which can be made to refuse; what a rewrap leaves is under "new". */
async function setUp(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 's3eg-beside-'));
  const files = await FilesystemStore.open({ root });
  const [old, renewed] = [new TestKeyService('old'), new TestKeyService('new')];
  const providers = new Map([old, renewed].map((service) => [service.name, service]));
  const life = { ttlMs: 0, offlineTtlMs: 0, maxObjects: 1, maxBytes: 1e12 };
  const dataKeys = new DataKeys(providers, life);
  t.after(async () => {
    dataKeys.close();
    await files.close();
    await rm(root, { recursive: true });
  });
  await files.createBucket(bucket, {});
  const secrets = ObjectSecrets.generate();
  const { salt, commitment } = secrets;
  const seal = async (keyName: string): Promise<Envelope> => {
    const context = { policy: policy.name, bucket };
    const aad = dekAad(bucket, key, commitment);
    const wrapped = await dataKeys.wrap(secrets.dek, { keyName, context, aad, bytes: 1 });
    const fields = { suite: 'aes-256-gcm', segmentSizeBytes: 65_536, layout: 'single', policy: policy.name } as const;
    const sealed = { metadataDigest: metadataDigest(headers), checksums: [], payloadBytes: plaintextBytes };
    return sealEnvelope({ ...fields, salt, commitment, floeHeader: new Uint8Array(74), ...wrapped }, sealed, secrets);
  };
  const reads: string[] = [];
  const refused: { code?: 'AccessDenied' | 'SlowDown' } = {};
  const store: ObjectStore = new Proxy(files, {
    get(target, name) {
      if (name === 'getObject') {
        return (request: Parameters<ObjectStore['getObject']>[0]) => {
          reads.push(request.key);
          if (refused.code !== undefined) throw s3Error(refused.code);
          return files.getObject(request);
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const putRecord = async (body: Uint8Array): Promise<void> => {
    const at = `${reservedPrefix}${recordPath(key, versionId)}`;
    await files.putObject({ bucket, key: at, headers: {}, body: streamOf(body), lengthBytes: body.length });
  };
  const own = await seal('old');
  const head = {
    etag: '"1"',
    lastModified: 'Tue, 24 Nov 2026 10:00:00 GMT',
    sizeBytes: storedSize(plaintextBytes),
    headers: { ...headers, [envelopeHeader]: encodeEnvelope(own), 'x-amz-version-id': versionId },
  };
  const gateway = { dataKeys, envelopesBeside: new EnvelopesBeside(), reservedPrefix };
  const request = { bucket, key, query: new Map<string, string>(), backend: { store }, policy };
  const open = async (): Promise<string> => {
    const opened = await openObject(gateway, { ...request, signal: AbortSignal.timeout(10_000) }, head);
    using _secrets = opened?.secrets;
    assert.deepEqual(Buffer.from(opened?.secrets.dek.bytes ?? []), Buffer.from(secrets.dek.bytes));
    assert.equal(opened?.plaintextBytes, plaintextBytes);
    return opened.envelope.kekName;
  };
  const refuse = (code: KeyErrorCode | undefined): void => old.fail(code);
  return { open, refuse, refused, renewed, reads, putRecord, beside: await seal('new') };
}

function recordOf(envelope: Envelope): Uint8Array {
  return encodeRecord({ key, versionId, envelope });
}

describe('a stored object', () => {
  it('is opened by its own envelope, and nothing beside it is looked for', async (t) => {
    const { open, reads, putRecord, beside } = await setUp(t);
    await putRecord(recordOf(beside));
    assert.equal(await open(), 'old');
    assert.deepEqual(reads, []);
  });

  for (const code of ['outside_window', 'not_found', 'denied'] as const) {
    it(`is opened by the envelope beside it where its key says ${code}, which is then remembered`, async (t) => {
      const { open, refuse, reads, putRecord, beside } = await setUp(t);
      refuse(code);
      await assert.rejects(open(), { code });
      await putRecord(recordOf(beside));
      await open();
      await open();
      assert.equal(reads.length, 2);
    });
  }

  it('waits for its key where that is not available, or is wrong: then nothing is looked for', async (t) => {
    const { open, refuse, reads, putRecord, beside } = await setUp(t);
    await putRecord(recordOf(beside));
    for (const code of ['unavailable', 'wrong_key', 'misconfigured'] as const) {
      refuse(code);
      await assert.rejects(open(), { code });
    }
    assert.deepEqual(reads, []);
  });

  it('says what its key says where the backend denies the envelope beside it, and what the backend says else', async (t) => {
    const { open, refuse, refused } = await setUp(t);
    refuse('not_found');
    refused.code = 'AccessDenied';
    await assert.rejects(open(), { code: 'not_found' });
    refused.code = 'SlowDown';
    await assert.rejects(open(), { code: 'SlowDown' });
  });

  it('takes the envelope that a later rewrap left, once the one it knew is refused', async (t) => {
    const { open, refuse, renewed, reads, putRecord, beside } = await setUp(t);
    refuse('not_found');
    await putRecord(recordOf(beside));
    await open();
    renewed.fail('outside_window');
    await assert.rejects(open(), { code: 'outside_window' });
    renewed.fail(undefined);
    await open();
    assert.equal(reads.length, 3);
  });

  it('stays closed where the envelope beside it is damaged, altered, or of another object', async (t) => {
    const { open, refuse, putRecord, beside } = await setUp(t);
    refuse('not_found');
    await putRecord(Buffer.from('{'));
    await assert.rejects(open(), { code: 'malformed' });
    const altered = Buffer.from(beside.sealedMetadata);
    altered.writeUInt8(altered.readUInt8(30) ^ 1, 30);
    await putRecord(recordOf({ ...beside, sealedMetadata: altered }));
    await assert.rejects(open(), { code: 'authentication_failed' });
    const wrappedDek = Buffer.from(beside.wrappedDek);
    wrappedDek.writeUInt8(wrappedDek.readUInt8(30) ^ 1, 30);
    await putRecord(recordOf({ ...beside, wrappedDek }));
    await assert.rejects(open(), { code: 'wrong_key' });
    await putRecord(recordOf({ ...beside, salt: new Uint8Array(32) }));
    await assert.rejects(open(), { code: 'not_found' });
  });
});
