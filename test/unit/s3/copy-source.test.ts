import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkCopySourceRange,
  copyDirective,
  copySourceConditions,
  parseCopySource,
  parseCopySourceRange,
} from '../../../src/s3/copy-source.ts';

/** A header as node:http gives it: its bytes as Latin-1. */
function wire(text: string): string {
  return Buffer.from(text).toString('latin1');
}

describe('the source of a copy', () => {
  const named: readonly (readonly [header: string, bucket: string, key: string, versionId?: string])[] = [
    ['bucket/key', 'bucket', 'key'],
    ['/bucket/key', 'bucket', 'key'],
    ['/bucket/a/b/c', 'bucket', 'a/b/c'],
    ['bucket//key', 'bucket', '/key'],
    ['bucket/dir/', 'bucket', 'dir/'],
    ['bucket/a%20b', 'bucket', 'a b'],
    ['bucket/a+b', 'bucket', 'a b'],
    ['bucket/a%2Bb', 'bucket', 'a+b'],
    ['bucket/a b', 'bucket', 'a b'],
    ['bucket/a%252Fb', 'bucket', 'a%2Fb'],
    ['bucket%2Fa%2Fb', 'bucket', 'a/b'],
    ['%2Fbucket%2Fa%2Fb', 'bucket', 'a/b'],
    ['bucket/%C3%A4', 'bucket', 'ä'],
    ['bucket/ä%20日本', 'bucket', 'ä 日本'],
    ['bucket/a?b', 'bucket', 'a?b'],
    ['bucket/../x', 'bucket', '../x'],
    ['bucket/key?versionId=null', 'bucket', 'key', 'null'],
    ['bucket%2Fkey?versionId=a%2Fb%2B', 'bucket', 'key', 'a/b+'],
    ['bucket/key%3FversionId=x', 'bucket', 'key?versionId=x'],
    ['bucket/key%3FversionId=x?versionId=y', 'bucket', 'key?versionId=x', 'y'],
  ];
  for (const [header, bucket, key, versionId] of named) {
    it(`reads ${header}`, () => {
      const expected = { bucket, key, ...(versionId === undefined ? {} : { versionId }) };
      assert.deepEqual(parseCopySource(wire(header)), expected);
    });
  }

  const refused: readonly (readonly [header: string, code: string])[] = [
    ['', 'InvalidArgument'],
    ['bucket', 'InvalidArgument'],
    ['/bucket', 'InvalidArgument'],
    ['/bucket/', 'InvalidArgument'],
    ['//key', 'InvalidArgument'],
    ['Bad_Bucket/key', 'InvalidArgument'],
    ['bucket/%zz', 'InvalidArgument'],
    ['bucket/%', 'InvalidArgument'],
    ['bucket/%ff', 'InvalidArgument'],
    ['bucket/a%00b', 'InvalidArgument'],
    ['bucket/key?versionId=', 'InvalidArgument'],
    [`bucket/${'k'.repeat(1025)}`, 'KeyTooLongError'],
    ['arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/object/key', 'NotImplemented'],
  ];
  for (const [header, code] of refused) {
    it(`refuses ${header.slice(0, 60)}`, () => {
      assert.throws(() => parseCopySource(wire(header)), { code });
    });
  }
});

describe('a range of a copy’s source', () => {
  it('has both ends', () => {
    assert.equal(parseCopySourceRange(undefined), undefined);
    assert.deepEqual(parseCopySourceRange('bytes=0-0'), { first: 0, last: 0 });
    assert.deepEqual(parseCopySourceRange('bytes=5-1234567'), { first: 5, last: 1_234_567 });
    for (const header of ['', 'bytes=', 'bytes=1-', 'bytes=-5', 'bytes=5-4', 'bytes=0-1,3-4', '0-1', 'bytes 0-1']) {
      assert.throws(() => parseCopySourceRange(header), { code: 'InvalidArgument', status: 400 }, header);
    }
  });

  it('lies within the source', () => {
    checkCopySourceRange({ first: 0, last: 9 }, 10);
    for (const range of [
      { first: 0, last: 10 },
      { first: 10, last: 11 },
    ]) {
      assert.throws(() => checkCopySourceRange(range, 10), { code: 'InvalidArgument', message: /size: 10$/ });
    }
  });
});

describe('the other headers of a copy', () => {
  it('have conditions on the source', () => {
    const headers = {
      'x-amz-copy-source-if-match': 'a',
      'x-amz-copy-source-if-none-match': 'b',
      'x-amz-copy-source-if-modified-since': 'c',
      'x-amz-copy-source-if-unmodified-since': 'd',
      'if-match': 'of the destination',
    };
    assert.deepEqual(copySourceConditions(headers), {
      ifMatch: 'a',
      ifNoneMatch: 'b',
      ifModifiedSince: 'c',
      ifUnmodifiedSince: 'd',
    });
    assert.deepEqual(copySourceConditions({}), {});
  });

  it('have directives', () => {
    assert.equal(copyDirective({}, 'metadata'), 'COPY');
    assert.equal(copyDirective({ 'x-amz-metadata-directive': 'REPLACE' }, 'metadata'), 'REPLACE');
    assert.equal(copyDirective({ 'x-amz-metadata-directive': 'REPLACE' }, 'tagging'), 'COPY');
    for (const value of ['', 'copy', 'MERGE']) {
      const headers = { 'x-amz-tagging-directive': value };
      assert.throws(() => copyDirective(headers, 'tagging'), { code: 'InvalidArgument', message: /tagging directive/ });
    }
  });
});
