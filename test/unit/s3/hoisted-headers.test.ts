import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { liftHoistedHeaders } from '../../../src/s3/hoisted-headers.ts';
import { parseRawQuery } from '../../../src/s3/uri-encoding.ts';

function lift(rawQuery: string, headers: Readonly<Record<string, string>> = {}): ReturnType<typeof liftHoistedHeaders> {
  return liftHoistedHeaders({ query: parseRawQuery(rawQuery), headers });
}

describe('headers in the query of a presigned request', () => {
  it('become headers, byte for byte; what S3 passes over, and all else, stays', () => {
    const signature =
      'X-Amz-Signature=0&X-Amz-Date=1&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32';
    const { query, headers } = lift(`${signature}&X-Amz-Meta-A=%C3%BC%2Bb&uploads=&x-amz-acl=private`, { host: 'h' });
    assert.deepEqual(headers, { host: 'h', 'x-amz-meta-a': '\u00c3\u00bc+b', 'x-amz-acl': 'private' });
    assert.deepEqual(
      query.map(({ name }) => name),
      ['X-Amz-Signature', 'X-Amz-Date', 'x-amz-checksum-crc32', 'x-amz-sdk-checksum-algorithm', 'uploads'],
    );
  });

  it('may be given as headers too, with the same value', () => {
    const { headers } = lift('x-amz-acl=private', { 'x-amz-acl': 'private' });
    assert.deepEqual(headers, { 'x-amz-acl': 'private' });
  });

  for (const [name, rawQuery] of [
    ['twice', 'x-amz-meta-a=1&x-amz-meta-a=1'],
    ['twice in another case', 'x-amz-meta-a=1&X-AMZ-META-A=2'],
    ['with another value as a header', 'x-amz-acl=private'],
    ['with a line end', 'x-amz-meta-a=1%0D%0Ax-amz-acl:public-read'],
    ['with a zero byte', 'x-amz-meta-a=%00'],
    ['under a name that is none', 'x-amz-meta-a%20b=1'],
    ['under a name with a colon', 'x-amz-meta-a:b=1'],
  ] as const) {
    it(`are refused ${name}`, () => {
      assert.throws(() => lift(rawQuery, { 'x-amz-acl': 'public-read' }), { code: 'InvalidArgument' });
    });
  }
});
