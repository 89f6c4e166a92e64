import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { checkBucketName, parseAddress } from '../../../src/s3/address.ts';

const publicHosts = ['example.org', 's3.example.org:8080', 'localhost'];
const path = (rawPath: string, host = '127.0.0.1:8080') => parseAddress({ rawPath, host, publicHosts });

describe('path style', () => {
  const table: [string, ReturnType<typeof parseAddress>][] = [
    ['/', {}],
    ['/bucket', { bucket: 'bucket' }],
    ['/bucket/', { bucket: 'bucket' }],
    ['/metrics', { bucket: 'metrics' }],
    ['/metrics/live', { bucket: 'metrics', key: 'live' }],
    ['/bucket/key', { bucket: 'bucket', key: 'key' }],
    ['/bucket//', { bucket: 'bucket', key: '/' }],
    ['/bucket//key', { bucket: 'bucket', key: '/key' }],
    ['/bucket/a//b', { bucket: 'bucket', key: 'a//b' }],
    ['/bucket/a/', { bucket: 'bucket', key: 'a/' }],
    ['/bucket/../x', { bucket: 'bucket', key: '../x' }],
    ['/bucket/%2e%2e/x', { bucket: 'bucket', key: '../x' }],
    ['/bucket/./x/..', { bucket: 'bucket', key: './x/..' }],
    ['/bucket/a%2Fb', { bucket: 'bucket', key: 'a/b' }],
    ['/bucket/%252F', { bucket: 'bucket', key: '%2F' }],
    ['/bucket/a%01b', { bucket: 'bucket', key: 'a\u0001b' }],
    ['/bucket/a%0d%0ab', { bucket: 'bucket', key: 'a\r\nb' }],
    ['/bucket/a+b%20c', { bucket: 'bucket', key: 'a+b c' }],
    ['/bucket/a%3Fb%23c', { bucket: 'bucket', key: 'a?b#c' }],
    ['/bucket/%F0%9F%97%9D', { bucket: 'bucket', key: '🗝' }],
    ['/bucket/\u00c3\u00a9', { bucket: 'bucket', key: 'é' }], // raw UTF-8 bytes, as node:http gives them
    ['/bucket/__proto__', { bucket: 'bucket', key: '__proto__' }],
    ['/buck%65t/key', { bucket: 'bucket', key: 'key' }],
  ];
  for (const [rawPath, address] of table) it(`reads ${rawPath}`, () => assert.deepEqual(path(rawPath), address));

  const refused: [string, string][] = [
    ['', 'InvalidURI'],
    ['bucket/key', 'InvalidURI'],
    ['*', 'InvalidURI'],
    ['http://host/bucket', 'InvalidURI'],
    ['/bucket/%', 'InvalidURI'],
    ['/bucket/%zz', 'InvalidURI'],
    ['/bucket/%FF', 'InvalidURI'],
    ['/bucket/%C0%80', 'InvalidURI'],
    ['/bucket/%ED%A0%80', 'InvalidURI'],
    ['/bucket/\u00e9', 'InvalidURI'],
    ['/bucket/a%00b', 'InvalidArgument'],
    ['//', 'InvalidBucketName'],
    ['//key', 'InvalidBucketName'],
    ['/../etc/passwd', 'InvalidBucketName'],
    ['/%2e%2e/etc/passwd', 'InvalidBucketName'],
    ['/.s3eg/x', 'InvalidBucketName'],
    ['/a%2Fb/x', 'InvalidBucketName'],
  ];
  for (const [rawPath, code] of refused) {
    it(`refuses '${rawPath}'`, () => assert.throws(() => path(rawPath), { code, status: 400 }));
  }

  it('takes keys of 1 024 bytes, not of 1 025', () => {
    assert.equal(path(`/bucket/${'a'.repeat(1024)}`).key?.length, 1024);
    assert.equal(path(`/bucket/${'%C3%A9'.repeat(512)}`).key, 'é'.repeat(512));
    assert.throws(() => path(`/bucket/${'a'.repeat(1025)}`), { code: 'KeyTooLongError', status: 400 });
    assert.throws(() => path(`/bucket/a${'%C3%A9'.repeat(512)}`), { code: 'KeyTooLongError' });
  });

  it('gives every key back that a client encodes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), (key) => {
        fc.pre(!key.includes('\0'));
        assert.deepEqual(path(`/bucket/${encodeURIComponent(key)}`), { bucket: 'bucket', key });
        assert.deepEqual(path(`/bucket/${encodeURIComponent(key).replaceAll('%2F', '/')}`), { bucket: 'bucket', key });
      }),
    );
  });
});

describe('virtual-hosted style', () => {
  const table: [string, string, ReturnType<typeof parseAddress>][] = [
    ['bucket.example.org', '/', { bucket: 'bucket' }],
    ['bucket.example.org', '/key', { bucket: 'bucket', key: 'key' }],
    ['bucket.example.org', '//key', { bucket: 'bucket', key: '/key' }],
    ['bucket.example.org:443', '/a%2Fb', { bucket: 'bucket', key: 'a/b' }],
    ['BUCKET.Example.ORG', '/key', { bucket: 'bucket', key: 'key' }],
    ['my.dotted.bucket.s3.example.org', '/key', { bucket: 'my.dotted.bucket', key: 'key' }],
    ['bucket.s3.example.org:8080', '/key', { bucket: 'bucket', key: 'key' }],
    ['bucket.localhost:8080', '/bucket/key', { bucket: 'bucket', key: 'bucket/key' }],
    ['example.org', '/bucket/key', { bucket: 'bucket', key: 'key' }],
    ['s3.example.org', '/bucket/key', { bucket: 'bucket', key: 'key' }],
    ['bucket.example.com', '/other/key', { bucket: 'other', key: 'key' }],
    ['notexample.org', '/other/key', { bucket: 'other', key: 'key' }],
    ['[::1]:8080', '/bucket/key', { bucket: 'bucket', key: 'key' }],
    ['', '/bucket/key', { bucket: 'bucket', key: 'key' }],
  ];
  for (const [host, rawPath, address] of table) {
    it(`reads ${host}${rawPath}`, () => assert.deepEqual(path(rawPath, host), address));
  }

  it('needs no Host header', () => {
    assert.deepEqual(parseAddress({ rawPath: '/bucket', host: undefined, publicHosts }), { bucket: 'bucket' });
  });

  for (const host of ['a_b.example.org', '..example.org', 'a..b.example.org', '.example.org', 'a/b.example.org']) {
    it(`refuses ${host}`, () => assert.throws(() => path('/key', host), { code: 'InvalidBucketName' }));
  }
});

describe('checkBucketName', () => {
  for (const name of ['abc', '1bucket', 'a.b-c', '1.2.3', 'a'.repeat(63), 'metrics', '1.2.3.4.5']) {
    it(`allows ${name}`, () => assert.doesNotThrow(() => checkBucketName(name)));
  }
  const refused = [
    '',
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    '-abc',
    'abc-',
    '.abc',
    'abc.',
    'a..b',
    '192.168.5.4',
    'ábc',
  ];
  for (const name of [...refused, 'a b', 'a/b', 'abc\n', '__proto__']) {
    it(`refuses ${JSON.stringify(name)}`, () =>
      assert.throws(() => checkBucketName(name), { code: 'InvalidBucketName' }));
  }
});
