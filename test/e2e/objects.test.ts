import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { checksumNames, checksumOf } from './support/checksums.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { suiteWithGateway } from './support/suite.ts';

/** Every header that S3 keeps with an object and the embedded store can honour. */
const systemHeaders = {
  'cache-control': 'max-age=3600, public',
  'content-disposition': `attachment; filename="résumé.pdf"`,
  'content-encoding': 'gzip',
  'content-language': 'de, en',
  'content-type': 'text/plain; charset=utf-8',
  expires: 'Wed, 21 Oct 2037 07:28:00 GMT',
  'x-amz-website-redirect-location': '/elsewhere',
};

const userMetadata = {
  'x-amz-meta-plain': 'value',
  'x-amz-meta-utf8': 'grüße 你好 🎉',
  'x-amz-meta-empty': '',
  'x-amz-meta-inner-blanks': 'a  b   c',
  'x-amz-meta-dots.and_under': 'x',
};

describe('objects', () => {
  const suite = suiteWithGateway(['bucket']);

  it('come back byte for byte, whatever their size', async () => {
    const { s3 } = suite;
    for (const size of [0, 1, 65_535, 65_536, 65_537, 3 * 65_536, 1_000_003]) {
      const body = seededBytes(`size ${size}`, size);
      const put = await s3.put('bucket', `size-${size}`, body);
      assert.equal(put.outcome, '200');
      const got = await s3.get('bucket', `size-${size}`);
      assert.equal(got.status, 200);
      assert.ok(got.body.equals(body), `${size} bytes differ`);
      const head = await s3.head('bucket', `size-${size}`);
      assert.equal(head.headers['content-length'], String(size));
      assert.equal(new Set([put.etag, got.etag, head.etag]).size, 1, 'one ETag everywhere');
      assert.match(put.etag, /^"[0-9a-f]{32}-0"$/);
    }
  });

  it('are replaced as a whole, and read as they were before or after', async () => {
    const { s3 } = suite;
    const first = await s3.put('bucket', 'replaced', 'first', { 'x-amz-meta-a': '1', 'cache-control': 'no-store' });
    const second = await s3.put('bucket', 'replaced', 'second one');
    assert.notEqual(first.etag, second.etag);
    const got = await s3.get('bucket', 'replaced');
    assert.deepEqual([got.text, got.etag], ['second one', second.etag]);
    assert.equal(got.headers['x-amz-meta-a'], undefined);
    assert.equal(got.headers['cache-control'], undefined);
  });

  it('keep system headers and user metadata through HEAD, GET, a range and multipart', async () => {
    const { s3 } = suite;
    const headers = { ...systemHeaders, ...userMetadata };
    assert.equal((await s3.put('bucket', 'headers', 'content', headers)).outcome, '200');
    const upload = await createUpload(s3, 'bucket', 'headers-multipart', headers);
    const parts = [await uploadPart(s3, upload, 1, 'content')];
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    for (const key of ['headers', 'headers-multipart']) {
      const answers = [
        await s3.head('bucket', key),
        await s3.get('bucket', key),
        await s3.get('bucket', key, { range: 'bytes=1-2' }),
      ];
      for (const answer of answers) {
        const kept = Object.fromEntries(Object.keys(headers).map((name) => [name, answer.headers[name]]));
        assert.deepEqual(kept, headers, key);
        assert.deepEqual(
          Object.keys(answer.headers)
            .filter((name) => name.startsWith('x-amz-meta-'))
            .toSorted(),
          Object.keys(userMetadata).toSorted(),
          'no other metadata, above all none of the gateway’s own',
        );
      }
    }
  });

  it('have the media type of S3 where the client gives none', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'untyped', 'x');
    assert.equal((await s3.head('bucket', 'untyped')).headers['content-type'], 'binary/octet-stream');
    assert.equal((await s3.put('bucket', 'empty-type', 'x', { 'content-type': '' })).outcome, '200');
    assert.equal((await s3.head('bucket', 'empty-type')).headers['content-type'], 'binary/octet-stream');
  });

  it('lose aws-chunked, which is of the transfer, from Content-Encoding', async () => {
    const { s3 } = suite;
    for (const [sent, kept] of [
      ['aws-chunked', undefined],
      ['aws-chunked,gzip', 'gzip'],
      ['gzip, aws-chunked', 'gzip'],
    ] as const) {
      await s3.put('bucket', 'encoded', 'x', { 'content-encoding': sent });
      assert.equal((await s3.head('bucket', 'encoded')).headers['content-encoding'], kept);
    }
  });

  it('count their tags', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'tagged', 'x', { 'x-amz-tagging': 'a=1&b=2' });
    assert.equal((await s3.head('bucket', 'tagged')).headers['x-amz-tagging-count'], '2');
    const refused = await s3.put('bucket', 'wrongly-tagged', 'x', { 'x-amz-tagging': 'a=1&a=2' });
    assert.equal(refused.outcome, '400 InvalidArgument');
  });

  it('refuse what the store cannot honour, and are not stored without it', async () => {
    const { s3 } = suite;
    for (const [name, value, outcome] of [
      ['x-amz-storage-class', 'GLACIER', '400 InvalidStorageClass'],
      ['x-amz-object-lock-mode', 'GOVERNANCE', '400 InvalidRequest'],
      ['x-amz-object-lock-legal-hold', 'ON', '400 InvalidRequest'],
      ['x-amz-acl', 'public-read', '501 NotImplemented'],
      ['x-amz-grant-read', 'id="someone"', '501 NotImplemented'],
      ['x-amz-server-side-encryption', 'aws:kms', '501 NotImplemented'],
      ['x-amz-server-side-encryption-customer-algorithm', 'AES256', '501 NotImplemented'],
      ['x-amz-write-offset-bytes', '0', '501 NotImplemented'],
    ] as const) {
      assert.equal((await s3.put('bucket', 'refused', 'x', { [name]: value })).outcome, outcome, name);
      assert.equal((await s3.head('bucket', 'refused')).status, 404);
    }
    assert.equal((await s3.put('bucket', 'accepted', 'x', { 'x-amz-storage-class': 'STANDARD' })).outcome, '200');
    assert.equal((await s3.put('bucket', 'accepted', 'x', { 'x-amz-acl': 'private' })).outcome, '200');
  });

  it('neither show the gateway’s metadata nor take it from a client', async () => {
    const { s3 } = suite;
    for (const name of ['x-amz-meta-s3eg', 'x-amz-meta-s3eg-key', 'X-Amz-Meta-S3EG']) {
      const refused = await s3.put('bucket', 'forged', 'x', { [name]: 'forged' });
      assert.equal(refused.outcome, '400 InvalidArgument', name);
      const upload = await s3.send({
        method: 'POST',
        bucket: 'bucket',
        key: 'forged',
        query: { uploads: '' },
        headers: { [name]: 'forged' },
      });
      assert.equal(upload.outcome, '400 InvalidArgument', name);
    }
    assert.equal((await s3.head('bucket', 'forged')).status, 404);
    const { xml } = await s3.send({ method: 'GET', bucket: 'bucket', query: { uploads: '', prefix: 'forged' } });
    assert.equal(xml.children.filter(({ name }) => name === 'Upload').length, 0);
  });

  it('refuse more user metadata than fits beside the gateway’s', async () => {
    const { s3 } = suite;
    const fits = { 'x-amz-meta-a': 'x'.repeat(1100) };
    assert.equal((await s3.put('bucket', 'large-metadata', 'x', fits)).outcome, '200');
    assert.equal((await s3.head('bucket', 'large-metadata')).headers['x-amz-meta-a'], fits['x-amz-meta-a']);
    const tooLarge = { 'x-amz-meta-a': 'x'.repeat(2100) };
    assert.equal((await s3.put('bucket', 'too-large-metadata', 'x', tooLarge)).outcome, '400 MetadataTooLarge');
    assert.equal((await s3.head('bucket', 'too-large-metadata')).status, 404);
  });

  it('let a GET and a HEAD name headers of the answer', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'overridden', 'x', { 'content-type': 'text/plain', 'cache-control': 'no-store' });
    const query = {
      'response-content-type': 'application/json',
      'response-content-disposition': 'inline; filename="a b.json"',
      'response-cache-control': 'max-age=1',
      'response-content-language': 'fr',
      'response-content-encoding': 'identity',
      'response-expires': 'Thu, 01 Jan 2037 00:00:00 GMT',
    };
    for (const method of ['GET', 'HEAD']) {
      const { headers, status } = await s3.send({ method, bucket: 'bucket', key: 'overridden', query });
      assert.equal(status, 200);
      for (const [name, value] of Object.entries(query)) assert.equal(headers[name.replace('response-', '')], value);
    }
    const broken = { 'response-content-type': 'a\r\nset-cookie: b' };
    const refused = await s3.send({ method: 'GET', bucket: 'bucket', key: 'overridden', query: broken });
    assert.equal(refused.outcome, '400 InvalidArgument');
  });

  it('give back the checksums that they were verified with, to those who ask', async () => {
    const { s3 } = suite;
    const body = seededBytes('checksums', 10_000);
    for (const name of checksumNames) {
      const header = `x-amz-checksum-${name}`;
      const value = checksumOf(name, body);
      const put = await s3.put('bucket', `sum-${name}`, body, { [header]: value });
      assert.deepEqual([put.outcome, put.headers[header]], ['200', value]);
      const asked = await s3.head('bucket', `sum-${name}`, { 'x-amz-checksum-mode': 'ENABLED' });
      assert.deepEqual([asked.headers[header], asked.headers['x-amz-checksum-type']], [value, 'FULL_OBJECT']);
      const got = await s3.get('bucket', `sum-${name}`, { 'x-amz-checksum-mode': 'ENABLED' });
      assert.equal(got.headers[header], value);
      assert.equal((await s3.head('bucket', `sum-${name}`)).headers[header], undefined);
    }
  });

  it('that are not there are 404 for GET and HEAD, and deleting them succeeds', async () => {
    const { s3 } = suite;
    assert.equal((await s3.get('bucket', 'nothing')).outcome, '404 NoSuchKey');
    const head = await s3.head('bucket', 'nothing');
    assert.deepEqual([head.status, head.body.length], [404, 0]);
    const deleted = await s3.delete('bucket', 'nothing');
    assert.deepEqual([deleted.status, deleted.body.length], [204, 0]);
    await s3.put('bucket', 'gone', 'x');
    assert.equal((await s3.delete('bucket', 'gone')).status, 204);
    assert.equal((await s3.get('bucket', 'gone')).outcome, '404 NoSuchKey');
  });

  it('have one version, called null', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'versioned', 'x');
    const get = async (versionId: string): Promise<string> =>
      (await s3.send({ method: 'GET', bucket: 'bucket', key: 'versioned', query: { versionId } })).outcome;
    assert.equal(await get('null'), '200');
    assert.equal(await get('3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY'), '404 NoSuchVersion');
  });

  it('leave no file behind when they are deleted', async () => {
    const { s3, gateway } = suite;
    const before = await gateway.storedFiles();
    await s3.put('bucket', 'file', seededBytes('file', 200_000));
    assert.equal((await gateway.storedFiles()).length, before.length + 1);
    await s3.delete('bucket', 'file');
    assert.deepEqual(await gateway.storedFiles(), before);
  });
});
