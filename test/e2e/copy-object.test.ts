import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { beforeEncryption, config, copyBuckets, CopySuite, described, picked, required } from './support/copies.ts';
import { Gateway } from './support/gateway.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';

describe('CopyObject', () => {
  const suite = new CopySuite();

  it('copies within a bucket and between policies, keys, backends and modes', async () => {
    for (const from of ['alpha', 'beta', 'far', 'off']) {
      for (const size of [0, 1, 65_536, 300_001]) {
        const bytes = seededBytes(`${from} ${size}`, size);
        await suite.s3.put(from, 'source', bytes, { ...described, 'x-amz-tagging': 'a=1&b=two%20words' });
        for (const to of copyBuckets) {
          const answer = await suite.copy(`/${from}/source`, to, 'copy');
          const { headers } = await suite.expectCopy(answer, to, 'copy', bytes);
          assert.deepEqual(picked(headers, Object.keys(described)), described, `${from} to ${to}`);
          assert.deepEqual(await suite.tagsOf(to, 'copy'), { a: '1', b: 'two words' }, `${from} to ${to}`);
        }
        assert.ok((await suite.s3.get(from, 'source')).body.equals(bytes));
      }
    }
  });

  it('encrypts what was not encrypted, where that may be read', async () => {
    await using plain = await Gateway.start({ config: beforeEncryption, directory: suite.directory });
    using client = new S3Client(plain);
    const bytes = seededBytes('plain', 200_000);
    await client.put('mixed', 'plain', bytes, described);
    for (const to of ['alpha', 'mixed', 'far', 'off']) {
      const { headers } = await suite.expectCopy(
        await suite.copy('mixed/plain', to, 'from-plain'),
        to,
        'from-plain',
        bytes,
      );
      assert.deepEqual(picked(headers, Object.keys(described)), described, to);
    }
    // Onto itself, it becomes encrypted: readable where unencrypted objects are not.
    const replaced = await suite.copy('mixed/plain', 'mixed', 'plain', { 'x-amz-metadata-directive': 'REPLACE' });
    await suite.expectCopy(replaced, 'mixed', 'plain', bytes);
    await using strict = await Gateway.start({
      directory: suite.directory,
      config: {
        ...config,
        policies: config.policies.map((policy) => ({
          ...policy,
          ...(policy.name === 'mixed' ? { encryption: required('local') } : {}),
        })),
      },
    });
    using strictClient = new S3Client(strict);
    assert.ok((await strictClient.get('mixed', 'plain')).body.equals(bytes));
    await client.put('mixed', 'plain-again', bytes);
    assert.equal((await strictClient.get('mixed', 'plain-again')).outcome, '403 ObjectNotEncrypted');
    const refused = await strictClient.send({
      method: 'PUT',
      bucket: 'alpha',
      key: 'x',
      headers: { 'x-amz-copy-source': 'mixed/plain-again' },
    });
    assert.equal(refused.outcome, '403 ObjectNotEncrypted');
  });

  it('copies objects of several parts, and ranges of the copies are right', async () => {
    const parts = [5 * 1024 ** 2 + 1, 5 * 1024 ** 2 + 65_535, 1_000_001].map((size) => seededBytes(`${size}`, size));
    const bytes = Buffer.concat(parts);
    const upload = await createUpload(suite.s3, 'alpha', 'parts', described);
    const sent = [];
    for (const [index, part] of parts.entries()) sent.push(await uploadPart(suite.s3, upload, index + 1, part));
    await completeUpload(suite.s3, upload, sent);
    for (const to of ['alpha', 'beta', 'far', 'off']) {
      const { headers } = await suite.expectCopy(
        await suite.copy('alpha/parts', to, 'parts-copy'),
        to,
        'parts-copy',
        bytes,
      );
      assert.deepEqual(picked(headers, Object.keys(described)), described, to);
      for (const [first, last] of [
        [0, 0],
        [5 * 1024 ** 2 - 3, 5 * 1024 ** 2 + 70_000],
        [bytes.length - 10, bytes.length - 1],
      ] as const) {
        const range = await suite.s3.get(to, 'parts-copy', { range: `bytes=${first}-${last}` });
        assert.equal(range.status, 206);
        assert.ok(range.body.equals(bytes.subarray(first, last + 1)), `${to} ${first}-${last}`);
      }
    }
  });

  it('replaces what describes the copy, and its tags, where the directives say so', async () => {
    await suite.s3.put('alpha', 'k', 'content', { ...described, 'x-amz-tagging': 'a=1' });
    const replacing = { 'content-type': 'text/new', 'x-amz-meta-new': 'neu ü' };
    for (const to of ['alpha', 'far', 'off']) {
      const replaced = await suite.copy('alpha/k', to, 'replaced', {
        ...replacing,
        'x-amz-metadata-directive': 'REPLACE',
      });
      const { headers } = await suite.expectCopy(replaced, to, 'replaced', Buffer.from('content'));
      assert.deepEqual(picked(headers, Object.keys(replacing)), replacing);
      for (const name of ['cache-control', 'content-encoding', 'expires', 'x-amz-meta-one']) {
        assert.equal(headers[name], undefined, name);
      }
      assert.deepEqual(await suite.tagsOf(to, 'replaced'), { a: '1' });
      // Without the directive, what describes the request is ignored; so are its tags.
      await suite.copy('alpha/k', to, 'kept', { ...replacing, 'x-amz-tagging': 'ignored=1' });
      const kept = await suite.s3.head(to, 'kept');
      assert.deepEqual(picked(kept.headers, [...Object.keys(described), 'x-amz-meta-new']), {
        ...described,
        'x-amz-meta-new': undefined,
      });
      assert.deepEqual(await suite.tagsOf(to, 'kept'), { a: '1' });
      await suite.copy('alpha/k', to, 'tagged', { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'b=2&c=3' });
      assert.deepEqual(await suite.tagsOf(to, 'tagged'), { b: '2', c: '3' });
      await suite.copy('alpha/k', to, 'bare', { 'x-amz-tagging-directive': 'REPLACE' });
      assert.deepEqual(await suite.tagsOf(to, 'bare'), {});
    }
  });

  it('copies a HEAD back with REPLACE', async () => {
    await suite.s3.put('alpha', 'k', 'content', described);
    const { headers } = await suite.s3.head('alpha', 'k');
    const back = picked(
      headers,
      Object.keys(headers).filter((name) => name in described),
    );
    const copied = await suite.copy('alpha/k', 'alpha', 'k', {
      ...Object.fromEntries(Object.entries(back).map(([name, value]) => [name, value ?? ''])),
      'x-amz-meta-added': 'x',
      'x-amz-metadata-directive': 'REPLACE',
    });
    const now = await suite.expectCopy(copied, 'alpha', 'k', Buffer.from('content'));
    assert.deepEqual(picked(now.headers, [...Object.keys(described), 'x-amz-meta-added']), {
      ...described,
      'x-amz-meta-added': 'x',
    });
  });
});
