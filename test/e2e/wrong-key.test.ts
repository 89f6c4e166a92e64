import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { S3Client } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';

const bucket = 'my-bucket';
const key = 'key';

test('a gateway does not start with another key than that of the data, and leaves the data to the right one', async (context) => {
  const directory = await temporaryDirectory();
  context.after(() => rm(directory, { recursive: true, force: true }));
  const keyring = join(directory, 'keyring.json');
  {
    await using gateway = await Gateway.start({ directory });
    using s3 = new S3Client(gateway);
    await s3.createBucket(bucket);
    assert.equal((await s3.send({ method: 'PUT', bucket, key, body: 'content' })).outcome, '200');
  }
  await rename(keyring, `${keyring}.right`);
  await assert.rejects(
    Gateway.start({ directory }),
    /key "local" is not the key that the stored objects are encrypted with/,
  );
  await rename(`${keyring}.right`, keyring);

  await using gateway = await Gateway.start({ directory });
  using s3 = new S3Client(gateway);
  const read = await s3.send({ method: 'GET', bucket, key });
  assert.deepEqual([read.status, read.body.toString()], [200, 'content']);
  assert.equal((await s3.send({ method: 'DELETE', bucket, key })).outcome, '204');
  const deleted = await s3.send({ method: 'DELETE', bucket });
  assert.equal(deleted.outcome, '204', 'a bucket with nothing but a canary is empty');
});
