/** What Terraform does with its state in S3 (`use_lockfile`): a lock that only one can make, and conditional writes. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { digest } from './support/workspace.ts';

const bucket = 'terraform';
const state = 'env/prod/terraform.tfstate';
const lock = `${state}.tflock`;

function lockOf(id: string): Buffer {
  return Buffer.from(JSON.stringify({ ID: id, Who: 'somebody' }));
}

/** Status and code of a refusal; undefined where the call succeeded. */
async function refusalOf(call: Promise<unknown>): Promise<readonly unknown[] | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    assert.ok(error instanceof S3CallError, String(error));
    return [error.status, error.code];
  }
}

for (const backend of backendNames) {
  describe(`Terraform's state, ${backend}`, () => {
    const workspace = ownWorkspace();
    let client: S3Client;

    before(async () => {
      ({ client } = await startSite(backend, workspace));
      await client.createBucket(bucket);
    });

    /** As Terraform writes its lock: with a checksum and a condition. */
    async function takeLock(id: string): Promise<void> {
      const options = { ContentType: 'application/json', ChecksumAlgorithm: 'SHA256', IfNoneMatch: '*' };
      await client.put(bucket, lock, lockOf(id), options);
    }

    test('gives the lock to one, refuses it to the next, and gives it again when it was taken away', async () => {
      for (let round = 0; round < 2; round++) {
        await takeLock(`first ${round}`);
        assert.deepEqual(await refusalOf(takeLock('another')), [412, 'PreconditionFailed']);
        const kept = await client.get(bucket, lock);
        assert.equal(kept.Body.sha256, digest(lockOf(`first ${round}`)), 'the first one stays');
        await client.delete(bucket, lock);
        assert.deepEqual(await refusalOf(client.get(bucket, lock)), [404, 'NoSuchKey']);
      }
    });

    test('gives the lock to exactly one of many that ask at once', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, async () => await refusalOf(takeLock(randomUUID()))),
      );
      const winners = outcomes.filter((outcome) => outcome === undefined);
      assert.equal(winners.length, 1);
      for (const outcome of outcomes.filter((found) => found !== undefined)) {
        const [status, code] = outcome;
        assert.ok(
          (status === 412 && code === 'PreconditionFailed') ||
            (status === 409 && code === 'ConditionalRequestConflict'),
          JSON.stringify(outcome),
        );
      }
      await client.delete(bucket, lock);
    });

    test('takes a state only over the one that was read', async () => {
      const options = { ContentType: 'application/json', ChecksumAlgorithm: 'SHA256' };
      const first = await client.put(bucket, state, Buffer.from('{"serial":1}'), options);
      const second = await client.put(bucket, state, Buffer.from('{"serial":2}'), {
        ...options,
        IfMatch: first.ETag,
      });
      const stale = client.put(bucket, state, Buffer.from('{"serial":3}'), { ...options, IfMatch: first.ETag });
      assert.deepEqual(await refusalOf(stale), [412, 'PreconditionFailed']);
      const head = await client.head(bucket, state);
      assert.equal(head.ETag, second.ETag);
      const [listed] = await client.list(bucket, { Prefix: state });
      assert.deepEqual([listed?.ETag, listed?.Size], [second.ETag, 12]);
      const missing = client.put(bucket, 'never', Buffer.from('{}'), { IfMatch: first.ETag });
      assert.deepEqual(await refusalOf(missing), [404, 'NoSuchKey']);
    });
  });
}
