import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { suiteWithGateway } from './support/suite.ts';
import { all, textOf } from './support/xml.ts';

function tagging(...tags: readonly (readonly [string, string])[]): string {
  const set = tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('');
  return `<Tagging><TagSet>${set}</TagSet></Tagging>`;
}

describe('sub-resources', () => {
  const suite = suiteWithGateway(['box']);

  it('keep the tags of objects, given with the object or later', async () => {
    const { s3 } = suite;
    const put = await s3.put('box', 'tagged', 'content', { 'x-amz-tagging': 'a=1&b=x%20y' });
    assert.equal(put.status, 200);
    const query = { tagging: '' };
    const first = await s3.send({ method: 'GET', bucket: 'box', key: 'tagged', query });
    assert.deepEqual(
      all(first.xml, 'TagSet')
        .flatMap((set) => all(set, 'Tag'))
        .map((tag) => [textOf(tag, 'Key'), textOf(tag, 'Value')]),
      [
        ['a', '1'],
        ['b', 'x y'],
      ],
    );
    const body = tagging(['c', '3']);
    const changed = await s3.send({ method: 'PUT', bucket: 'box', key: 'tagged', query, body });
    assert.equal(changed.outcome, '200');
    const get = await s3.get('box', 'tagged');
    assert.deepEqual([get.text, get.etag, get.headers['x-amz-tagging-count']], ['content', put.etag, '1']);
    const removed = await s3.send({ method: 'DELETE', bucket: 'box', key: 'tagged', query });
    assert.equal(removed.status, 204);
    assert.equal((await s3.get('box', 'tagged')).headers['x-amz-tagging-count'], undefined);
  });

  it('hold tags to the limits of S3 before anything is stored', async () => {
    const { s3 } = suite;
    const eleven = Array.from({ length: 11 }, (_, index) => [`k${index}`, 'v'] as const);
    const header = eleven.map(([key, value]) => `${key}=${value}`).join('&');
    assert.equal((await s3.put('box', 'no', 'x', { 'x-amz-tagging': header })).outcome, '400 BadRequest');
    assert.equal((await s3.put('box', 'no', 'x', { 'x-amz-tagging': 'a=1&a=2' })).outcome, '400 InvalidArgument');
    assert.equal((await s3.put('box', 'no', 'x', { 'x-amz-tagging': 'aws:a=1' })).outcome, '400 InvalidTag');
    assert.equal((await s3.head('box', 'no')).status, 404);
    const query = { tagging: '' };
    await s3.put('box', 'k', 'x');
    const body = tagging(...eleven);
    assert.equal((await s3.send({ method: 'PUT', bucket: 'box', key: 'k', query, body })).outcome, '400 BadRequest');
    const wrong = await s3.send({ method: 'PUT', bucket: 'box', key: 'k', query, body: '<Tagging>' });
    assert.equal(wrong.outcome, '400 MalformedXML');
    const damaged = await s3.send({
      method: 'PUT',
      bucket: 'box',
      key: 'k',
      query,
      body: tagging(['a', '1']),
      headers: { 'content-md5': Buffer.alloc(16).toString('base64') },
    });
    assert.equal(damaged.outcome, '400 BadDigest');
  });

  it('say of what is not configured what S3 says', async () => {
    const { s3 } = suite;
    const outcomes: Record<string, string> = {};
    const names = [
      'acl',
      'versioning',
      'policy',
      'lifecycle',
      'encryption',
      'object-lock',
      'requestPayment',
      'inventory',
    ];
    for (const name of names) {
      outcomes[name] = (await s3.send({ method: 'GET', bucket: 'box', query: { [name]: '' } })).outcome;
    }
    assert.deepEqual(outcomes, {
      acl: '200',
      versioning: '200',
      policy: '404 NoSuchBucketPolicy',
      lifecycle: '404 NoSuchLifecycleConfiguration',
      encryption: '404 ServerSideEncryptionConfigurationNotFoundError',
      'object-lock': '404 ObjectLockConfigurationNotFoundError',
      requestPayment: '200',
      inventory: '200',
    });
    const put = await s3.send({ method: 'PUT', bucket: 'box', query: { policy: '' }, body: '{}' });
    assert.equal(put.outcome, '501 NotImplemented');
    const select = await s3.send({
      method: 'POST',
      bucket: 'box',
      key: 'k',
      query: { select: '', 'select-type': '2' },
    });
    assert.equal(select.outcome, '501 NotImplemented');
  });

  it('need the action that they are of', async () => {
    const { s3 } = suite;
    const query = { tagging: '' };
    assert.equal((await s3.sendRaw({ method: 'GET', target: '/box/k?tagging' })).outcome, '403 AccessDenied');
    assert.equal((await s3.send({ method: 'GET', bucket: 'box', key: '.s3eg/x', query })).outcome, '403 AccessDenied');
    assert.equal((await s3.send({ method: 'GET', bucket: 'box', key: 'none', query })).outcome, '404 NoSuchKey');
  });

  it('list versions with the sizes and ETags of HEAD, page by page', async () => {
    const { s3 } = suite;
    await s3.createBucket('versions');
    const keys = ['a', 'dir/b', 'dir/c', 'z'];
    for (const key of keys) await s3.put('versions', key, key.repeat(100));
    const seen: string[] = [];
    let markers: Readonly<Record<string, string>> = {};
    for (;;) {
      const query = { versions: '', 'max-keys': '2', ...markers };
      const { xml } = await s3.send({ method: 'GET', bucket: 'versions', query });
      for (const version of all(xml, 'Version')) {
        const key = textOf(version, 'Key') ?? '';
        const head = await s3.head('versions', key);
        assert.deepEqual(
          [textOf(version, 'Size'), textOf(version, 'ETag'), textOf(version, 'VersionId')],
          [head.headers['content-length'], head.etag, 'null'],
        );
        seen.push(key);
      }
      if (textOf(xml, 'IsTruncated') === 'false') break;
      markers = {
        'key-marker': textOf(xml, 'NextKeyMarker') ?? '',
        'version-id-marker': textOf(xml, 'NextVersionIdMarker') ?? '',
      };
    }
    assert.deepEqual(seen, keys);
    // An open upload leaves the gateway's own keys in the bucket: a small page is full all the same.
    assert.equal((await s3.send({ method: 'POST', bucket: 'versions', key: 'u', query: { uploads: '' } })).status, 200);
    const small = await s3.send({ method: 'GET', bucket: 'versions', query: { versions: '', 'max-keys': '2' } });
    assert.deepEqual(
      all(small.xml, 'Version').map((version) => textOf(version, 'Key')),
      ['a', 'dir/b'],
    );
    for (const query of [{}, { 'list-type': '2' }]) {
      const objects = await s3.send({
        method: 'GET',
        bucket: 'versions',
        query: { ...query, 'max-keys': '2', delimiter: '/' },
      });
      assert.deepEqual(
        [
          ...all(objects.xml, 'Contents').map((entry) => textOf(entry, 'Key')),
          ...all(objects.xml, 'CommonPrefixes').map((entry) => textOf(entry, 'Prefix')),
        ],
        ['a', 'dir/'],
      );
    }
    const rolled = await s3.send({ method: 'GET', bucket: 'versions', query: { versions: '', delimiter: '/' } });
    assert.deepEqual(
      all(rolled.xml, 'CommonPrefixes').map((prefix) => textOf(prefix, 'Prefix')),
      ['dir/'],
    );
  });
});
