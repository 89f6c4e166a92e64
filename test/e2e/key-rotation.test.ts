import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { S3Client } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { textOf } from './support/xml.ts';

const bucket = 'my-bucket';

test('a rotation is taken up while the gateway runs; versions outside the window are refused and named', async () => {
  await using gateway = await Gateway.start({
    config: {
      rotation: { readPrevious: 1 },
      // Nothing is cached, so that each request meets the key as it is.
      dataKeyCache: { ttl: '0s', offlineTtl: '0s' },
    },
  });
  using s3 = new S3Client(gateway);
  await s3.createBucket(bucket);
  const read = async (key: string): Promise<string> => {
    const { outcome, body } = await s3.send({ method: 'GET', bucket, key });
    return `${outcome.slice(0, 30)} ${outcome === '200' ? body.toString() : ''}`.trim();
  };
  for (const version of [1, 2, 3]) {
    if (version > 1) {
      await addVersion(join(gateway.directory, 'keyring.json'), version);
      // The keyring looks once a second whether its file has changed.
      await delay(1100);
    }
    const put = await s3.send({ method: 'PUT', bucket, key: `under-${version}`, body: `under ${version}` });
    assert.equal(put.outcome, '200');
  }
  assert.equal(await read('under-3'), '200 under 3');
  assert.equal(await read('under-2'), '200 under 2');
  const refused = await s3.send({ method: 'GET', bucket, key: 'under-1' });
  assert.equal(refused.outcome, '403 KeyVersionNotReadable');
  const message = textOf(refused.xml, 'Message') ?? '';
  assert.match(message, /version "1" of key "local" is 2 versions behind the current one/);
  assert.match(message, /raise rotation\.readPrevious to 2 or more/);
});

test('the metrics tell how often the key provider is asked and how often a key is at hand', async () => {
  await using gateway = await Gateway.start();
  using s3 = new S3Client(gateway);
  await s3.createBucket(bucket);
  for (const key of ['a', 'b', 'c']) {
    assert.equal((await s3.send({ method: 'PUT', bucket, key, body: key })).outcome, '200');
    assert.equal((await s3.send({ method: 'GET', bucket, key })).outcome, '200');
  }
  const metrics = await (await fetch(`http://${gateway.admin.host}:${gateway.admin.port}/metrics`)).text();
  const lookups = [...metrics.matchAll(/^s3eg_key_cache_lookups_total(\{.*\}) (\d+)$/gm)].map(([, labels, count]) => [
    labels,
    count,
  ]);
  assert.deepEqual(
    lookups.toSorted(([left = ''], [right = '']) => left.localeCompare(right)),
    [
      ['{key="local",cache="unwrap",outcome="hit"}', '3'],
      ['{key="local",cache="wrap",outcome="hit"}', '2'],
      ['{key="local",cache="wrap",outcome="miss"}', '1'],
    ],
  );
  assert.match(metrics, /^s3eg_key_operations_total\{key="local",operation="wrap",outcome="ok"\} 1$/m);
});

/** Adds a version as `docs/format/local-keyring.md` has it. */
async function addVersion(file: string, version: number): Promise<void> {
  const document: { readonly version: number; readonly keys: readonly object[] } = JSON.parse(
    await readFile(file, 'utf8'),
  );
  const added = {
    version: String(version),
    key: randomBytes(32).toString('base64'),
    created: new Date().toISOString(),
  };
  const text = JSON.stringify({ ...document, keys: [...document.keys, added] });
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
