/** Gateways on the pinned Node, on Node 24 and on Bun as replicas of each other, in front of MinIO: boto3 is the client. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import type { RuntimeName } from '../support/runtimes.ts';
import { startBackend, type Backend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext } from './support/plaintext.ts';
import { S3Agent, S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { digest } from './support/workspace.ts';

const runtimes = ['node', 'node24', 'bun'] as const satisfies readonly RuntimeName[];
const bucket = 'runtimes';
const parts = [plaintext('first part', 5 * 2 ** 20 + 3), plaintext('last part', 1_000_001)] as const;

/** What each gateway writes under its own name; all of it is read through the others. */
const contents: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  small: plaintext('small', 4097),
  single: plaintext('single', 2_000_003),
  multipart: Buffer.concat(parts),
};

describe('runtimes', () => {
  const workspace = ownWorkspace();
  const clients = new Map<RuntimeName, S3Client>();
  let backend: Backend;
  let first: Gateway;
  let agent: S3Agent;

  before(async () => {
    [backend, agent] = await Promise.all([startBackend('minio', workspace), S3Agent.start(workspace)]);
    first = await Gateway.start({ workspace, backend, runtime: 'node' });
    clients.set('node', agent.client(first.access));
    for (const runtime of ['node24', 'bun'] as const) clients.set(runtime, await replica(runtime));
    await clientOn('node').createBucket(bucket);
  });

  async function replica(runtime: RuntimeName, settings = {}): Promise<S3Client> {
    const gateway = await Gateway.start({ workspace, backend, replicaOf: first, runtime, settings });
    return agent.client(gateway.access);
  }

  function clientOn(runtime: RuntimeName): S3Client {
    const client = clients.get(runtime);
    assert.ok(client !== undefined);
    return client;
  }

  test('write what each of the others reads, whole and in ranges', async () => {
    for (const runtime of runtimes) await write(clientOn(runtime), runtime);
    for (const reader of runtimes) for (const writer of runtimes) await readAll(clientOn(reader), writer);
  });

  test('without the cipher of an object give nothing of it', async () => {
    const writer = await replica('node', { crypto: { suite: 'chacha20-poly1305' } });
    const body = plaintext('chacha', 300_000);
    await writer.put(bucket, 'chacha', body);
    assert.equal((await clientOn('node24').get(bucket, 'chacha')).Body.sha256, digest(body));
    await assert.rejects(clientOn('bun').get(bucket, 'chacha'), refused);
    await assert.rejects(clientOn('bun').get(bucket, 'chacha', { Range: 'bytes=100-200' }), refused);
    assert.equal((await clientOn('bun').get(bucket, 'node/small')).Body.sha256, digest(contents['small'] ?? body));
  });

  test('without the cipher that is configured do not start', async () => {
    const settings = { crypto: { suite: 'chacha20-poly1305' } };
    await assert.rejects(replica('bun', settings), /encrypts with chacha20-poly1305, which this runtime does not have/);
  });
});

async function write(client: S3Client, name: string): Promise<void> {
  for (const [kind, body] of Object.entries(contents)) {
    if (kind !== 'multipart') await client.put(bucket, `${name}/${kind}`, body, { Metadata: { by: name } });
  }
  const upload = await client.createUpload(bucket, `${name}/multipart`, { Metadata: { by: name } });
  const named = [await client.uploadPart(upload, 2, parts[1]), await client.uploadPart(upload, 1, parts[0])];
  await client.complete(upload, named);
}

async function readAll(client: S3Client, writer: string): Promise<void> {
  const listed = await client.list(bucket, { Prefix: `${writer}/` });
  assert.deepEqual(
    listed.map(({ Key, Size }) => [Key, Size]),
    Object.keys(contents)
      .toSorted()
      .map((kind) => [`${writer}/${kind}`, contents[kind]?.length]),
  );
  for (const [kind, body] of Object.entries(contents)) {
    const got = await client.get(bucket, `${writer}/${kind}`);
    assert.deepEqual([got.Body.sha256, got.Body.broken, got.Metadata['by']], [digest(body), null, writer], kind);
    if (body.length === 0) continue;
    const from = Math.floor(body.length / 2);
    const range = await client.get(bucket, `${writer}/${kind}`, { Range: `bytes=${from}-` });
    assert.equal(range.Body.sha256, digest(body.subarray(from)), `the end of ${kind}`);
  }
}

function refused(error: unknown): boolean {
  return error instanceof S3CallError && error.status === 500;
}
