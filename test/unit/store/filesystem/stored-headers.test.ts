import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answeredHeaders, contentMd5, storedHeaders } from '../../../../src/store/filesystem/stored-headers.ts';

const lines: readonly [name: string, value: string, code: string | undefined][] = [
  ['x-amz-acl', 'private', undefined],
  ['x-amz-acl', 'bucket-owner-full-control', undefined],
  ['x-amz-acl', 'public-read', 'NotImplemented'],
  ['x-amz-acl', 'everybody', 'InvalidArgument'],
  ['x-amz-grant-read', 'id=1', 'NotImplemented'],
  ['x-amz-storage-class', 'STANDARD', undefined],
  ['x-amz-storage-class', 'GLACIER', 'InvalidStorageClass'],
  ['x-amz-object-lock-mode', 'GOVERNANCE', 'InvalidRequest'],
  ['x-amz-object-lock-legal-hold', 'ON', 'InvalidRequest'],
  ['x-amz-server-side-encryption', 'AES256', 'NotImplemented'],
  ['x-amz-server-side-encryption', 'aws:kms', 'NotImplemented'],
  ['x-amz-server-side-encryption', 'ROT13', 'InvalidArgument'],
  ['x-amz-server-side-encryption-customer-algorithm', 'AES256', 'NotImplemented'],
  ['x-amz-copy-source', '/b/k', 'NotImplemented'],
  ['x-amz-something-new', '1', 'NotImplemented'],
  ['x-amz-checksum-crc32', 'AAAAAA==', undefined],
  ['x-amz-tagging', 'a=1&a=2', 'InvalidArgument'],
  ['x-amz-tagging', '=1', 'InvalidTag'],
  ['x-amz-tagging', `a=${'x'.repeat(257)}`, 'InvalidTag'],
  ['x-amz-tagging', Array.from({ length: 11 }, (_, index) => `t${index}=1`).join('&'), 'BadRequest'],
  ['x-amz-meta-a', 'x'.repeat(2047), undefined],
  ['x-amz-meta-a', 'x'.repeat(2048), 'MetadataTooLarge'],
];

describe('storedHeaders', () => {
  for (const [name, value, code] of lines) {
    it(`${code === undefined ? 'takes' : `answers ${code} to`} ${name}: ${value.slice(0, 20)}`, () => {
      if (code === undefined) storedHeaders({ [name]: value });
      else assert.throws(() => storedHeaders({ [name]: value }), { code });
    });
  }

  it('stores what belongs to the object and nothing else', () => {
    const stored = storedHeaders({
      'content-type': 'a/b',
      'x-amz-meta-k': 'v',
      'x-amz-tagging': 'a=1',
      'x-amz-acl': 'private',
      'content-md5': 'x',
      host: 'h',
    });
    assert.deepEqual(stored, { 'content-type': 'a/b', 'x-amz-meta-k': 'v', 'x-amz-tagging': 'a=1' });
  });
});

describe('answeredHeaders', () => {
  it('gives the number of tags, not the tags, and a type where none was given', () => {
    assert.deepEqual(answeredHeaders({ 'x-amz-tagging': 'a=1&b=2' }), {
      'content-type': 'binary/octet-stream',
      'x-amz-tagging-count': '2',
    });
    assert.deepEqual(answeredHeaders({ 'content-type': 'a/b' }), { 'content-type': 'a/b' });
  });
});

describe('contentMd5', () => {
  it('takes sixteen bytes in base64', () => {
    assert.equal(contentMd5({}), undefined);
    assert.equal(contentMd5({ 'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==' })?.length, 16);
    assert.throws(() => contentMd5({ 'content-md5': 'AAAA' }), { code: 'InvalidDigest' });
  });
});
