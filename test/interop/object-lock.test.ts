/** What is to be locked: S3 and moto want a checksum of the stored bytes with it, other servers do without and must too. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { crc32 } from 'node:zlib';

import { startServer, type S3Access } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { startMoto } from './support/moto.ts';
import { plaintext } from './support/plaintext.ts';
import {
  S3Agent,
  S3CallError,
  type ObjectHead,
  type Options,
  type S3Client,
  type Upload,
} from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { digest, type Workspace } from './support/workspace.ts';

type LockedHead = ObjectHead & {
  readonly ObjectLockMode?: string;
  readonly ContentEncoding?: string;
  readonly ChecksumType?: string;
};

const mebibyte = 1024 ** 2;
const small = plaintext('small', 1000);
const long = plaintext('long', 3 * mebibyte + 11);
const partSizes = [5 * mebibyte + 3, 2 * mebibyte];
const lock = (): Options => ({
  ObjectLockMode: 'GOVERNANCE',
  ObjectLockRetainUntilDate: new Date(Date.now() + 3_600_000).toISOString(),
});

async function accessTo(name: 'moto' | 'minio' | 'versitygw', workspace: Workspace): Promise<S3Access> {
  return name === 'moto' ? await startMoto(workspace) : (await startServer(name, workspace)).access;
}

/** A gateway in front of any S3 server. */
async function startGateway({ endpoint, ...credentials }: S3Access, workspace: Workspace): Promise<Gateway> {
  const backends = { main: { type: 's3', endpoint, region: 'us-east-1', credentials } };
  const backend = { name: 'embedded', root: join(await workspace.folder('unused'), 'objects') } as const;
  return await Gateway.start({ workspace, backend, settings: { backends } });
}

interface Stored {
  readonly Bucket: string;
  readonly Key: string;
  readonly bytes: Buffer;
  /** How it is to be locked. */
  readonly mode: string | undefined;
}

async function modeOf(client: S3Client, Bucket: string, Key: string): Promise<string | undefined> {
  return (await client.call<LockedHead>('head_object', { Bucket, Key })).ObjectLockMode;
}

/** Fails unless it is locked, reads as these bytes, and has no checksum but that of its plaintext. */
async function check(client: S3Client, { Bucket, Key, bytes, mode }: Stored): Promise<LockedHead> {
  const head: LockedHead = await client.call('head_object', { Bucket, Key, ChecksumMode: 'ENABLED' });
  assert.deepEqual([head.ObjectLockMode, head.ContentLength], [mode, bytes.length]);
  const got = await client.get(Bucket, Key, { ChecksumMode: 'ENABLED' });
  assert.equal(got.Body.sha256, digest(bytes));
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(bytes));
  for (const { ChecksumCRC32 = crc.toString('base64') } of [head, got]) {
    assert.equal(ChecksumCRC32, crc.toString('base64'));
  }
  return head;
}

async function uploadParts(client: S3Client, upload: Upload): Promise<Buffer> {
  const parts = partSizes.map((size, index) => plaintext(`part ${index}`, size));
  const named = [];
  for (const [index, part] of parts.entries()) named.push(await client.uploadPart(upload, index + 1, part));
  assert.deepEqual(
    (await client.listParts(upload)).map(({ Size }) => Size),
    partSizes,
  );
  await client.complete(upload, named);
  return Buffer.concat(parts);
}

async function retain(client: S3Client, Bucket: string): Promise<void> {
  const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } };
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule };
  await client.call('put_object_lock_configuration', { Bucket, ObjectLockConfiguration });
}

async function postForm(client: S3Client, Bucket: string, Key: string, bytes: Buffer): Promise<number> {
  const form: { url: string; fields: Record<string, string> } = await client.call('generate_presigned_post', {
    Bucket,
    Key,
  });
  const data = new FormData();
  for (const [name, value] of Object.entries(form.fields)) data.append(name, value);
  data.append('file', new Blob([new Uint8Array(bytes)]));
  const answer = await fetch(form.url, { method: 'POST', body: data });
  await answer.arrayBuffer();
  return answer.status;
}

for (const name of ['moto', 'minio', 'versitygw'] as const) {
  describe(`object lock, ${name}`, () => {
    const workspace = ownWorkspace();
    let gateway: Gateway;
    let client: S3Client;
    let direct: S3Client;

    before(async () => {
      const access = await accessTo(name, workspace);
      gateway = await startGateway(access, workspace);
      const agent = await S3Agent.start(workspace);
      client = agent.client(gateway.access);
      direct = agent.client(access);
      await client.call('create_bucket', { Bucket: 'locked', ObjectLockEnabledForBucket: true });
      await client.call('create_bucket', { Bucket: 'retained', ObjectLockEnabledForBucket: true });
    });

    /** What the server itself answers: moto locks no uploads in parts, versitygw shows no default. */
    const retainedMode = async (kind: 'whole' | 'parts'): Promise<string | undefined> =>
      await modeOf(direct, 'retained', `direct ${kind}`);

    test('objects that are locked by their headers', async () => {
      for (const [key, bytes] of Object.entries({ small, long })) {
        await client.put('locked', key, bytes, { ...lock(), ContentEncoding: 'gzip' });
        const { ContentEncoding } = await check(client, { Bucket: 'locked', Key: key, bytes, mode: 'GOVERNANCE' });
        assert.equal(ContentEncoding, 'gzip');
        const stored = await direct.get('locked', key);
        assert.notEqual(stored.Body.sha256, digest(bytes));
        assert.equal(stored.Body.length, stored.ContentLength);
      }
    });

    test('uploads in parts that are locked by their headers', async () => {
      const bytes = await uploadParts(client, await client.createUpload('locked', 'parts', lock()));
      await uploadParts(direct, await direct.createUpload('locked', 'direct parts', lock()));
      const mode = await modeOf(direct, 'locked', 'direct parts');
      await check(client, { Bucket: 'locked', Key: 'parts', bytes, mode });
      const { Uploads = [] }: { Uploads?: readonly object[] } = await direct.call('list_multipart_uploads', {
        Bucket: 'locked',
      });
      assert.deepEqual(Uploads, []);
    });

    test('all that comes to a bucket with a default retention', async () => {
      await retain(client, 'retained');
      await direct.put('retained', 'direct whole', small);
      await uploadParts(direct, await direct.createUpload('retained', 'direct parts'));
      await client.put('retained', 'small', small);
      await client.put('retained', 'long', long);
      const bytes = await uploadParts(client, await client.createUpload('retained', 'parts'));
      assert.equal(await postForm(client, 'retained', 'form', long), 204);
      const whole = await retainedMode('whole');
      for (const [Key, expected] of Object.entries({ small, long, form: long })) {
        await check(client, { Bucket: 'retained', Key, bytes: expected, mode: whole });
      }
      await check(client, { Bucket: 'retained', Key: 'parts', bytes, mode: await retainedMode('parts') });
    });

    // The others want none.
    if (name !== 'moto') return;

    test('a long upload that shows that its bucket wants checksums is asked for again', async () => {
      await gateway.stop();
      await gateway.restart();
      const first = client.put('retained', 'again', long);
      await assert.rejects(first, (error: unknown) => error instanceof S3CallError && error.code === 'SlowDown');
      await client.put('retained', 'again', long);
      await check(client, { Bucket: 'retained', Key: 'again', bytes: long, mode: await retainedMode('whole') });
      const md5 = createHash('md5').update(long).digest('hex');
      assert.notEqual((await direct.head('retained', 'again')).ETag, `"${md5}"`);
    });

    test('an upload in parts is the first that shows it', async () => {
      await gateway.stop();
      await gateway.restart();
      const bytes = await uploadParts(client, await client.createUpload('retained', 'parts again'));
      const mode = await retainedMode('parts');
      await check(client, { Bucket: 'retained', Key: 'parts again', bytes, mode });
    });
  });
}
