import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { S3Error } from '../../../src/s3/s3-error.ts';
import { canonicalPath, canonicalQuery, parseRawQuery, splitTarget, uriEncode } from '../../../src/s3/uri-encoding.ts';

/** The definition: every byte of UTF-8 that is not unreserved as `%XX`. */
function encodeByDefinition(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9\-._~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function isInvalidUri(error: unknown): boolean {
  return error instanceof S3Error && error.code === 'InvalidURI' && error.status === 400;
}

const anyText = fc.string({ unit: 'binary', maxLength: 20 });

describe('uriEncode', () => {
  it('is what its definition says', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        assert.equal(uriEncode(text, true), encodeByDefinition(text));
        assert.equal(uriEncode(text, false), text.split('/').map(encodeByDefinition).join('/'));
      }),
    );
  });

  it('encodes a lone surrogate as the replacement character', () => {
    assert.equal(uriEncode('a\ud800', true), 'a%EF%BF%BD');
  });
});

describe('splitTarget', () => {
  it('splits at the first question mark and changes nothing', () => {
    assert.deepEqual(splitTarget('/a//b/../c%2f?x=?&y'), { rawPath: '/a//b/../c%2f', rawQuery: 'x=?&y' });
    assert.deepEqual(splitTarget('/a'), { rawPath: '/a', rawQuery: '' });
    assert.deepEqual(splitTarget('/a?'), { rawPath: '/a', rawQuery: '' });
  });
});

describe('parseRawQuery', () => {
  it('gives back what was encoded, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyText, anyText), { maxLength: 6 }), (pairs) => {
        const rawQuery = pairs.map(([name, value]) => `${uriEncode(name, true)}=${uriEncode(value, true)}`).join('&');
        assert.deepEqual(
          parseRawQuery(rawQuery),
          pairs.map(([name, value]) => ({ name, value, hasValue: true })),
        );
      }),
    );
  });

  it('tells a name without a value, skips empty pieces, reads + as space and unencoded bytes as UTF-8', () => {
    assert.deepEqual(parseRawQuery('acl&&prefix=a+b%2Bc&x=a=b&y=&z=\u00c3\u00a9'), [
      { name: 'acl', value: '', hasValue: false },
      { name: 'prefix', value: 'a b+c', hasValue: true },
      { name: 'x', value: 'a=b', hasValue: true },
      { name: 'y', value: '', hasValue: true },
      { name: 'z', value: 'é', hasValue: true },
    ]);
    assert.deepEqual(parseRawQuery(''), []);
  });

  for (const rawQuery of ['a=%', 'a=%4', 'a=%zz', '%=1', 'a=%ff', 'a=\u00e9', 'a=\u20ac']) {
    it(`refuses ${JSON.stringify(rawQuery)}`, () => assert.throws(() => parseRawQuery(rawQuery), isInvalidUri));
  }

  it('is bounded', () => {
    assert.equal(parseRawQuery(Array.from({ length: 100 }, () => 'a').join('&')).length, 100);
    assert.throws(() => parseRawQuery(Array.from({ length: 101 }, () => 'a').join('&')), isInvalidUri);
    assert.equal(parseRawQuery('a'.repeat(16_384)).length, 1);
    assert.throws(() => parseRawQuery('a'.repeat(16_385)), isInvalidUri);
  });
});

describe('canonicalPath', () => {
  const cases = [
    ['/', '/'],
    ['/a//b/./../c', '/a//b/./../c'],
    ['/a%2fb', '/a/b'],
    ['/a%252Fb', '/a%252Fb'],
    ['/(a)+~!*', '/%28a%29%2B~%21%2A'],
    ['/%28%7e%41%c3%a9', '/%28~A%C3%A9'],
    ['/\u00c3\u00a9', '/%C3%A9'],
    ['/%ff%01', '/%FF%01'],
  ] as const;
  for (const [raw, canonical] of cases) {
    it(`of ${raw} is ${canonical}`, () => assert.equal(canonicalPath(raw), canonical));
  }

  it('leaves an encoded key as it is', () => {
    fc.assert(
      fc.property(anyText, (key) => {
        const rawPath = `/${uriEncode(key, false)}`;
        assert.equal(canonicalPath(rawPath), rawPath);
      }),
    );
  });

  it('refuses a broken escape', () => {
    for (const raw of ['/%', '/%a', '/a%g0', '/%%20', '/\u20ac']) assert.throws(() => canonicalPath(raw), isInvalidUri);
  });
});

describe('canonicalQuery', () => {
  it('sorts by encoded name, then value, and gives every parameter a value', () => {
    assert.equal(canonicalQuery('b=2&a-b=1&a=2&a=1&A=0&uploads&c=x+y'), 'A=0&a=1&a=2&a-b=1&b=2&c=x%20y&uploads=');
  });

  it('leaves one parameter out', () => {
    assert.equal(canonicalQuery('a=1&X-Amz-Signature=ab&c', 'X-Amz-Signature'), 'a=1&c=');
  });

  it('does not depend on how the client spelt it', () => {
    assert.equal(canonicalQuery('p=%7e%2f%28'), canonicalQuery('p=~/('));
  });
});
