import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { S3Client } from './support/client.ts';
import { listObjects } from './support/listing.ts';
import { suiteWithGateway } from './support/suite.ts';
import { textOf } from './support/xml.ts';

/** Keys that proxies, file systems, URLs and XML are known to trip over. */
const keys = [
  '../x',
  '../../../../etc/passwd',
  '..',
  '.',
  './x',
  'a/../b',
  'a//b',
  '/leading',
  '//',
  'trailing/',
  'a\u0001b',
  'a\nb',
  'a\rb',
  'a\u007fb',
  'tab\tx',
  '%2F',
  '%2e%2e%2fx',
  '%',
  '%zz',
  'a+b c',
  'a?b',
  'a#b',
  'a&b=c;d',
  'back\\slash',
  `quote"'<>`,
  '🎉',
  'e\u0301 is not é',
  'é',
  'ﬀ',
  '\ufeffbom',
  '\u{10ffff}',
  'k'.repeat(1024),
  'ü'.repeat(512),
  'CON',
  'x.json?versionId=1',
] as const;

describe('names of objects', () => {
  const suite = suiteWithGateway(['bucket']);

  it('of every kind hold an object of their own', async () => {
    const { s3 } = suite;
    for (const key of keys) assert.equal((await s3.put('bucket', key, `content of ${key}`)).outcome, '200', key);
    for (const key of keys) {
      assert.equal((await s3.get('bucket', key)).text, `content of ${key}`, key);
      assert.equal((await s3.head('bucket', key)).status, 200, key);
    }
    const { objects } = await listObjects(s3, 'bucket', { version: 2 });
    assert.deepEqual(objects.map(({ key }) => key).toSorted(), [...keys].toSorted());
    for (const key of keys) {
      assert.equal((await s3.delete('bucket', key)).status, 204);
      assert.equal((await s3.head('bucket', key)).status, 404, key);
    }
    assert.deepEqual((await listObjects(s3, 'bucket', { version: 2 })).objects, []);
  });

  it('are what the path says when it is decoded once, however it was spelt', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'a b/c~d', 'spelt');
    for (const rawPath of [
      '/bucket/a%20b/c~d',
      '/bucket/a%20b/c%7Ed',
      '/bucket/a%20b%2Fc~d',
      '/bucket/%61%20%62/%63~d',
    ]) {
      assert.equal((await s3.send({ method: 'GET', rawPath })).text, 'spelt', rawPath);
    }
    // A plus is a plus in a path, and an escape is not unescaped again.
    assert.equal((await s3.get('bucket', 'a+b/c~d')).outcome, '404 NoSuchKey');
    assert.equal((await s3.get('bucket', 'a%20b/c~d')).outcome, '404 NoSuchKey');
  });

  it('end at 1024 bytes of UTF-8', async () => {
    const { s3 } = suite;
    for (const key of ['k'.repeat(1025), `${'ü'.repeat(512)}k`, '🎉'.repeat(257)]) {
      assert.equal((await s3.put('bucket', key, 'x')).outcome, '400 KeyTooLongError', key.slice(0, 8));
      assert.equal((await s3.get('bucket', key)).outcome, '400 KeyTooLongError');
    }
    assert.deepEqual(
      suite.gateway.storedKeys('bucket').filter((key) => key.length > 300),
      [],
    );
  });

  it('that are no text are no names', async () => {
    const { s3 } = suite;
    for (const [rawPath, outcome] of [
      ['/bucket/%00', '400 InvalidArgument'],
      ['/bucket/a%00b', '400 InvalidArgument'],
      ['/bucket/%ff', '400 InvalidURI'],
      ['/bucket/%c3', '400 InvalidURI'],
      ['/bucket/%ed%a0%80', '400 InvalidURI'],
      ['/bucket/%c0%ae', '400 InvalidURI'],
    ] as const) {
      assert.equal((await s3.send({ method: 'PUT', rawPath, body: 'x' })).outcome, outcome, rawPath);
    }
    // A broken escape has no canonical form to sign: it is refused whatever the signature.
    const broken = await s3.send({ method: 'PUT', rawPath: '/bucket/%zz', body: 'x' });
    assert.equal(broken.outcome, '400 InvalidURI');
  });
});

describe('virtual-hosted style', () => {
  const suite = suiteWithGateway(['styled', 'other'], {
    config: { listen: { host: '127.0.0.1', port: 0, publicHosts: ['s3.example.org', 'example.org'] } },
  });

  it('names the bucket by the host, and the same object as path style does', async () => {
    const { s3, gateway } = suite;
    for (const host of [
      'styled.s3.example.org',
      'styled.s3.example.org:9000',
      'styled.example.org',
      'STYLED.S3.Example.ORG',
    ]) {
      using virtual = new S3Client(gateway, { host });
      const put = await virtual.send({ method: 'PUT', rawPath: '/other/key', body: host });
      assert.equal(put.outcome, '200', host);
      assert.equal((await s3.get('styled', 'other/key')).text, host);
      const listed = await virtual.send({ method: 'GET', rawPath: '/', query: { 'list-type': '2' } });
      assert.match(listed.text, /<Name>styled<\/Name>.*<Key>other\/key<\/Key>/s);
    }
    assert.equal((await s3.get('other', 'key')).outcome, '404 NoSuchKey');
  });

  it('is path style for the name itself and for names that are not the gateway’s', async () => {
    const { gateway } = suite;
    for (const host of ['s3.example.org', 'styled.example.net', 'evils3.example.orgx', 'localhost']) {
      using client = new S3Client(gateway, { host });
      assert.equal((await client.put('other', 'path', host)).outcome, '200', host);
      assert.equal((await client.get('other', 'path')).text, host);
    }
  });

  it('gives locations in the style that the client uses', async () => {
    const { gateway } = suite;
    for (const [host, bucketPath] of [
      ['styled.s3.example.org', ''],
      ['s3.example.org', '/styled'],
    ] as const) {
      using client = new S3Client(gateway, { host });
      const rawPath = `${bucketPath}/in%20parts`;
      const created = await client.send({ method: 'POST', rawPath, query: { uploads: '' } });
      const uploadId = textOf(created.xml, 'UploadId') ?? '';
      const part = await client.send({ method: 'PUT', rawPath, query: { partNumber: '1', uploadId }, body: 'x' });
      const named = `<Part><PartNumber>1</PartNumber><ETag>${part.headers['etag']}</ETag></Part>`;
      const body = `<CompleteMultipartUpload>${named}</CompleteMultipartUpload>`;
      const completed = await client.send({ method: 'POST', rawPath, query: { uploadId }, body });
      assert.equal(textOf(completed.xml, 'Location'), `http://${host}${bucketPath}/in%20parts`);
    }
  });

  it('does not let a signature for one host be used for another', async () => {
    const { gateway, s3 } = suite;
    using signer = new S3Client(gateway, { host: 'styled.s3.example.org' });
    const target = await signer.presign({ method: 'PUT', rawPath: '/stolen' });
    using thief = new S3Client(gateway, { host: 'other.s3.example.org' });
    const refused = await thief.sendRaw({ method: 'PUT', target, headers: { 'content-length': '1' }, body: 'x' });
    assert.equal(refused.outcome, '403 SignatureDoesNotMatch');
    // Nor does a forwarded host help, as long as the peer is no proxy that is trusted.
    const forwarded = await thief.sendRaw({
      method: 'PUT',
      target,
      headers: { 'x-forwarded-host': 'styled.s3.example.org', 'content-length': '1' },
      body: 'x',
    });
    assert.equal(forwarded.outcome, '403 SignatureDoesNotMatch');
    for (const bucket of ['styled', 'other']) assert.equal((await s3.head(bucket, 'stolen')).status, 404);
  });
});

describe('a trusted proxy', () => {
  const suite = suiteWithGateway(['proxied'], {
    config: {
      listen: { host: '127.0.0.1', port: 0, publicHosts: ['s3.example.org'], trustedProxies: ['127.0.0.0/8'] },
    },
  });

  it('says which host the client asked for and signed', async () => {
    const { gateway, s3 } = suite;
    using signer = new S3Client(gateway, { host: 'proxied.s3.example.org' });
    const target = await signer.presign({ method: 'PUT', rawPath: '/key' });
    const answer = await s3.sendRaw({
      method: 'PUT',
      target,
      headers: { 'x-forwarded-host': 'proxied.s3.example.org', 'x-forwarded-proto': 'https', 'content-length': '1' },
      body: 'x',
    });
    assert.equal(answer.outcome, '200');
    assert.equal((await s3.get('proxied', 'key')).text, 'x');
  });

  it('says which bucket was posted to with something that is no form', async () => {
    const answer = await suite.s3.sendRaw({
      method: 'POST',
      target: '/',
      headers: { 'x-forwarded-host': 'proxied.s3.example.org', 'content-type': 'text/plain', 'content-length': '4' },
      body: 'text',
    });
    assert.equal(answer.outcome, '412 PreconditionFailed');
  });
});
