import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { contentRange, parseRange, rangeHeader, resolveRange } from '../../../src/s3/range.ts';

describe('parseRange', () => {
  const accepted: [string, ReturnType<typeof parseRange>][] = [
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=0-', { first: 0 }],
    ['bytes=5-9', { first: 5, last: 9 }],
    ['bytes=-7', { suffix: 7 }],
    ['bytes=-0', { suffix: 0 }],
    ['BYTES=1-2', { first: 1, last: 2 }],
    [' bytes=1-2 ', { first: 1, last: 2 }],
    ['bytes=0-99999999999999999999999', { first: 0, last: Number.MAX_SAFE_INTEGER }],
  ];
  for (const [header, range] of accepted) it(`reads ${header}`, () => assert.deepEqual(parseRange(header), range));

  const ignored = [
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'bytes=5-4',
    'bytes=0-1,3-4',
    'bytes=0-1,',
    'bytes=a-b',
    'bytes=1',
    'bytes=+1-2',
    'bytes=1.0-2',
    'bytes=0x1-2',
    'bytes 0-1',
    'items=0-1',
    'bytes=0 - 1',
  ];
  for (const header of ignored) {
    it(`ignores ${header}`, () => assert.equal(parseRange(header), undefined));
  }
});

describe('resolveRange', () => {
  const size = 100;
  const satisfiable: [string, number, number][] = [
    ['bytes=0-', 0, 99],
    ['bytes=0-0', 0, 0],
    ['bytes=99-', 99, 99],
    ['bytes=99-99', 99, 99],
    ['bytes=50-1000', 50, 99],
    ['bytes=-1', 99, 99],
    ['bytes=-100', 0, 99],
    ['bytes=-101', 0, 99],
    ['bytes=-99999999999999999999', 0, 99],
  ];
  for (const [header, first, last] of satisfiable) {
    it(`fits ${header}`, () => {
      const range = parseRange(header);
      assert.ok(range);
      assert.deepEqual(resolveRange(range, size), { first, last });
    });
  }

  const unsatisfiable: [string, number][] = [
    ['bytes=100-', 100],
    ['bytes=100-200', 100],
    ['bytes=-0', 100],
    ['bytes=0-', 0],
    ['bytes=0-0', 0],
    ['bytes=-5', 0],
    ['bytes=99999999999999999999-', 100],
  ];
  for (const [header, sizeBytes] of unsatisfiable) {
    it(`refuses ${header} of ${sizeBytes} bytes`, () => {
      const range = parseRange(header);
      assert.ok(range);
      assert.throws(() => resolveRange(range, sizeBytes), {
        code: 'InvalidRange',
        status: 416,
        details: { RangeRequested: rangeHeader(range), ActualObjectSize: String(sizeBytes) },
        headers: { 'content-range': `bytes */${sizeBytes}` },
      });
    });
  }

  it('agrees with slicing', () => {
    const bytes = Array.from({ length: 40 }, (_, index) => index);
    fc.assert(
      fc.property(fc.nat(45), fc.nat(45), (from, length) => {
        const range = { first: from, last: from + length };
        const expected = bytes.slice(from, from + length + 1);
        if (expected.length === 0) {
          assert.throws(() => resolveRange(range, bytes.length));
          return;
        }
        const { first, last } = resolveRange(range, bytes.length);
        assert.deepEqual(bytes.slice(first, last + 1), expected);
      }),
    );
  });

  it('writes headers', () => {
    assert.equal(contentRange(0, 9, 100), 'bytes 0-9/100');
    assert.equal(rangeHeader({ first: 3 }), 'bytes=3-');
    assert.equal(rangeHeader({ first: 3, last: 4 }), 'bytes=3-4');
    assert.equal(rangeHeader({ suffix: 4 }), 'bytes=-4');
  });
});
