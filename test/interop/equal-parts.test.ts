/** `quirks.equalPartSizes`, in front of MinIO with the rule of Cloudflare R2. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startGateway } from '../providers/support/gateway.ts';
import { startServer } from './support/backends.ts';
import { randomBytesOf } from './support/plaintext.ts';
import { S3Agent, S3CallError, type PartName, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { StrictParts } from './support/strict-parts.ts';
import { digest } from './support/workspace.ts';

const minPartBytes = 5 * 1024 ** 2;
const bucket = 'equal-parts';

function isInvalidPart(error: unknown): boolean {
  return error instanceof S3CallError && error.code === 'InvalidPart';
}

describe('a backend that wants parts of one size', () => {
  const workspace = ownWorkspace();
  let strict: StrictParts;
  /** boto3 at two replicas that were told, at a gateway that was not, and at the backend. */
  let told: readonly [S3Client, S3Client];
  let untold: S3Client;
  let raw: S3Client;

  before(async () => {
    const { access } = await startServer('minio', workspace);
    strict = workspace.use(await StrictParts.start(Number(new URL(access.endpoint).port)));
    const agent = await S3Agent.start(workspace);
    const keyring = join(await workspace.folder('keys'), 'keyring.json');
    const front = async (equalPartSizes: boolean): Promise<S3Client> => {
      const { accessKeyId, secretAccessKey } = access;
      const quirks = { equalPartSizes };
      const credentials = { accessKeyId, secretAccessKey };
      const section = { type: 's3', endpoint: strict.endpoint, credentials, quirks };
      return agent.client(await startGateway({ section: async () => section }, 'required', workspace, keyring));
    };
    told = [await front(true), await front(true)];
    untold = await front(false);
    raw = agent.client(access);
    await told[0].createBucket(bucket);
  });

  interface Uploaded {
    readonly sizes: readonly number[];
    /** Of the parts, counted from 0. */
    readonly order?: readonly number[];
    /** Take turns. */
    readonly clients?: readonly S3Client[];
  }

  /** Uploads parts and completes; gives all bytes. */
  const upload = async (key: string, { sizes, order, clients = [told[0]] }: Uploaded): Promise<Buffer> => {
    const bodies = sizes.map((size, index) => randomBytesOf(`${key} ${index}`, size));
    const [first = told[0]] = clients;
    const open = await first.createUpload(bucket, key);
    const parts: PartName[] = [];
    for (const [turn, index] of (order ?? sizes.map((_, each) => each)).entries()) {
      const client = clients[turn % clients.length] ?? first;
      parts.push(await client.uploadPart(open, index + 1, bodies[index] ?? Buffer.alloc(0)));
    }
    assert.deepEqual(
      (await first.listParts(open)).map(({ Size }) => Size),
      sizes,
    );
    await first.complete(open, parts);
    return Buffer.concat(bodies);
  };

  /** Uploads, which must work, and reads it back; nothing may be left beside it. Gives the stored sizes of the parts. */
  const works = async (key: string, uploaded: Uploaded): Promise<readonly number[]> => {
    const refusals = strict.refusals;
    const bytes = await upload(key, uploaded);
    assert.equal(strict.refusals, refusals);
    const got = await told[1].get(bucket, key);
    assert.deepEqual([got.ContentLength, got.Body.sha256], [bytes.length, digest(bytes)]);
    assert.deepEqual(await raw.list(bucket, { Prefix: '.s3eg/uploads/' }), []);
    return strict.completed.at(-1) ?? [];
  };

  test('gets a last part of 5 MiB and more with the index behind it', async () => {
    const size = minPartBytes + 1_000_000;
    assert.equal((await works('large', { sizes: [size, size, minPartBytes + 1] })).length, 3);
  });

  test('gets the end in two parts where the index makes the last one larger than the first', async () => {
    assert.equal((await works('long', { sizes: [minPartBytes, minPartBytes, minPartBytes - 1] })).length, 4);
  });

  test('gets parts that are all of one size, and a single one', async () => {
    assert.equal((await works('equal', { sizes: [minPartBytes, minPartBytes] })).length, 3);
    assert.equal((await works('single', { sizes: [minPartBytes] })).length, 2);
    assert.equal((await works('small', { sizes: [17] })).length, 1);
  });

  test('gets parts that came before the first one, once the upload is completed', async () => {
    const size = minPartBytes + 5;
    await works('last-first', { sizes: [size, size, size, 1_000_000], order: [3, 2, 0, 1] });
  });

  test('gets parts through several gateways', async () => {
    const size = minPartBytes + 3;
    await works('replicas', { sizes: [size, size, size, size - 1], clients: told });
  });

  test('refuses what breaks the rule: of the client itself, or of a gateway that was not told', async () => {
    await assert.rejects(upload('odd', { sizes: [minPartBytes, minPartBytes + 1, 10] }), isInvalidPart);
    const sizes = [minPartBytes + 9, minPartBytes + 1];
    await assert.rejects(upload('untold', { sizes, clients: [untold] }), isInvalidPart);
  });
});
