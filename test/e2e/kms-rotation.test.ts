/** Rotation of a key of AWS KMS by the program, against the service as AWS documents it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeKms } from '../support/fake-kms.ts';
import { S3Client } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { keyLabels } from './support/key-labels.ts';
import { admin, scrape, valueOf } from './support/metrics.ts';
import { commandAt, objectsBy, rewrap } from './support/rewrap.ts';
import { textOf } from './support/xml.ts';

const bucket = 'my-bucket';
const token = 'admin-token-of-the-kms-rotation-test';

test('a key of AWS KMS is rotated on demand, by the command and the API, then its alias is switched, and all is read and rewrapped', async () => {
  await using kms = await FakeKms.start();
  const [first, second] = [kms.createKey(), kms.createKey()];
  kms.pointAlias('alias/s3eg', first);
  const versionOf = (arn: string): string => `${arn}#${kms.currentMaterialId(arn).slice(0, 16)}`;
  const aws = section(kms, { keyId: 'alias/s3eg', previousKeyIds: [first] });
  await using gateway = await Gateway.start({
    config: {
      keys: { aws },
      rotation: { readPrevious: 1 },
      admin: { host: '127.0.0.1', port: 0, token },
      // A bucket key of its own for each object: it says at once which material is current.
      dataKeyCache: { maxObjects: 1 },
    },
  });
  using s3 = new S3Client(gateway);
  await s3.createBucket(bucket);
  const put = async (key: string): Promise<void> => {
    assert.equal((await s3.send({ method: 'PUT', bucket, key, body: `content of ${key}` })).outcome, '200');
  };
  const keys = ['a', 'b', 'c', 'd'];
  const readAll = async (): Promise<void> => {
    for (const key of keys) {
      const { outcome, body } = await s3.send({ method: 'GET', bucket, key });
      assert.deepEqual([outcome, body.toString()], ['200', `content of ${key}`]);
    }
  };
  const versions: string[] = [versionOf(first)];
  await put('a');

  const { stdout, stderr } = await commandAt(gateway, 'keys', 'rotate', '--key', 'aws', '--json');
  assert.equal(stderr, '');
  versions.push(versionOf(first));
  assert.deepEqual(JSON.parse(stdout), { key: 'aws', previous: versions[0], current: versions[1] });
  await put('b');
  const headers = { authorization: `Bearer ${token}`, 'content-length': '0' };
  const answer = await admin(gateway, '/api/v1/keys/aws/rotate', { method: 'POST', headers });
  versions.push(versionOf(first));
  assert.deepEqual(
    [answer.status, JSON.parse(answer.text)],
    [200, { key: 'aws', previous: versions[1], current: versions[2] }],
  );
  await put('c');
  assert.equal(kms.count('RotateKeyOnDemand'), 2);
  const switched = await commandAt(gateway, 'keys', 'rotate', '--key', 'aws', '--to', second);
  versions.push(versionOf(second));
  assert.equal(switched.stdout, `Rotated key aws: version ${versions[3]} is current, ${versions[2]} was.\n`);
  await put('d');
  assert.equal(new Set(versions).size, 4);
  const labels = Object.fromEntries(keys.map((key, index) => [key, `aws:${versions[index]}`]));
  assert.deepEqual(keyLabels(gateway.directory, bucket), labels);
  // The window is of keys: the three materials of the first one are one version back.
  await readAll();
  const read = (age: string, sample = scraped): number => valueOf(sample, 's3eg_key_reads_total', { key: 'aws', age });
  const scraped = await scrape(gateway);
  assert.deepEqual([read('current'), read('previous')], [1, 3]);

  const status = await commandAt(gateway, 'keys', 'status');
  assert.ok(status.stdout.includes(`aws-kms  ${versions[3]} `), status.stdout);
  const one = await rewrap(gateway, '--bucket', bucket, '--from', `aws:${versions[0]}`, '--dry-run');
  assert.deepEqual(one.outcomes['rewrapped'], 1);
  const ofKey = await rewrap(gateway, '--bucket', bucket, '--from', `aws:${first}`, '--dry-run');
  assert.deepEqual(ofKey.outcomes['rewrapped'], 3);
  // What stands for the first key is not free while one of its materials protects something.
  assert.deepEqual(objectsBy(ofKey, 'aws'), Object.fromEntries(versions.map((version) => [version, 1])));
  assert.ok(ofKey.versions.every(({ mayBeRetired }) => !mayBeRetired));
  const done = await rewrap(gateway, '--bucket', bucket);
  assert.deepEqual([done.outcomes['rewrapped'], done.outcomes['current']], [3, 1]);
  assert.deepEqual(objectsBy(done, 'aws'), { [versions[3] ?? '']: 4, [first]: 0 });
  await readAll();
});

test('a key that was disabled is named with its version to who reads and writes, with what to do, and the log has the service’s words', async () => {
  await using kms = await FakeKms.start();
  const arn = kms.createKey();
  await using gateway = await Gateway.start({
    config: { keys: { aws: section(kms, { keyId: arn }) }, dataKeyCache: { ttl: '0s', offlineTtl: '0s' } },
  });
  using s3 = new S3Client(gateway);
  await s3.createBucket(bucket);
  assert.equal((await s3.send({ method: 'PUT', bucket, key: 'a', body: 'a' })).outcome, '200');
  const version = `${arn}#${kms.currentMaterialId(arn).slice(0, 16)}`;
  kms.setState(arn, 'Disabled');
  for (const [method, what] of [
    ['GET', `version "${version}" of key "aws"`],
    ['PUT', 'key "aws"'],
  ] as const) {
    const { outcome, xml } = await s3.send({ method, bucket, key: 'a', ...(method === 'PUT' ? { body: 'b' } : {}) });
    assert.equal(outcome, '500 InternalError');
    const message = textOf(xml, 'Message') ?? '';
    assert.ok(message.startsWith(`the key service does not let the gateway use ${what}: enable it there`), message);
    assert.ok(!message.includes('Exception'), message);
  }
  const told = gateway.process
    .logLines()
    .map(({ error_message: said }) => said)
    .filter((said) => typeof said === 'string');
  const prefix = `version "${version}" of key "aws" cannot be used: AWS KMS cannot decrypt with key ${arn}: `;
  assert.ok(
    told.some((line) => line.startsWith(prefix) && line.includes('the key is disabled: enable it (DisabledException')),
    told.join('\n'),
  );
  kms.setState(arn, 'Enabled');
  assert.equal((await s3.send({ method: 'GET', bucket, key: 'a' })).outcome, '200');
});

function section(kms: FakeKms, own: object): object {
  const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret-key-of-the-kms-rotation-test' };
  return { type: 'aws-kms', region: 'eu-central-1', endpoint: kms.address, credentials, ...own };
}
