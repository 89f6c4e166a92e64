import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import {
  maxPlaintextBytes,
  partPlaintextSize,
  partStoredSize,
  plaintextSize,
  segmentCount,
  segmentSizesBytes,
  storedSize,
} from '../../../src/envelope/sizes.ts';
import { largest, part, unit } from './envelope-support.ts';

/** stored(P) as the document writes it, in integers that cannot lose a digit. */
function documented(plaintextBytes: number): number {
  const p = BigInt(plaintextBytes);
  const units = (p + 65_535n) / 65_536n;
  return Number(p + 32n * (units > 1n ? units : 1n) + 128n * (p / 5_242_880n + 1n) + 256n);
}

/** Lengths in which an error would show: beside the borders of segments and parts, and any other. */
const interestingLength = fc.oneof(
  fc.maxSafeNat().map((value) => value % (largest + 1)),
  beside(unit),
  beside(part),
  fc.integer({ min: 0, max: 3 * unit }),
);

function beside(step: number): fc.Arbitrary<number> {
  return fc
    .tuple(fc.integer({ min: 0, max: Math.floor(largest / step) }), fc.constantFrom(-1, 0, 1))
    .map(([k, by]) => Math.min(largest, Math.max(0, k * step + by)));
}

describe('stored size', () => {
  it('is that of the document, its table included (F1-SIZE-1)', () => {
    const table = [
      [0, 416],
      [1, 417],
      [65_536, 65_952],
      [65_537, 65_985],
      [5_242_880, 5_245_952],
      [5_242_881, 5_245_985],
    ] as const;
    for (const [plaintext, stored] of table) assert.equal(storedSize(plaintext), stored);
    fc.assert(
      fc.property(interestingLength, (length) => storedSize(length) === documented(length)),
      { numRuns: 2_000 },
    );
  });

  it('grows with every byte (F1-SIZE-2)', () => {
    fc.assert(
      fc.property(interestingLength, (length) => length === largest || storedSize(length) < storedSize(length + 1)),
      { numRuns: 2_000 },
    );
  });

  it('ends at 50 TiB, in both directions (F1-SIZE-3)', () => {
    assert.equal(maxPlaintextBytes, 54_975_581_388_800);
    assert.equal(plaintextSize(storedSize(largest)), largest);
    for (const length of [largest + 1, 2 ** 53, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => storedSize(length), RangeError);
    }
    for (let length = largest + 1; length < largest + 200; length += 1) {
      assert.equal(plaintextSize(documented(length)), undefined);
    }
  });
});

describe('plaintext size', () => {
  it('follows from every stored size of the first part and a bit, and no other size has one (F1-SIZE-2)', () => {
    let length = 0;
    let next = documented(length);
    // A comparison for each of five million sizes; assert is called for the one that differs.
    for (let stored = 0; stored < 5_320_000; stored += 1) {
      const expected = stored === next ? length : undefined;
      const found = plaintextSize(stored);
      if (found !== expected) assert.equal(found, expected, `stored size ${stored}`);
      if (stored === next) {
        length += 1;
        const units = Math.ceil(length / 65_536);
        next = length + 32 * units + 128 * (Math.floor(length / 5_242_880) + 1) + 256;
      }
    }
    assert.ok(length > part + unit);
  });

  it('follows from the stored size for any length up to 50 TiB (F1-SIZE-2)', () => {
    fc.assert(
      fc.property(interestingLength, (length) => plaintextSize(documented(length)) === length),
      { numRuns: 5_000 },
    );
  });

  it('is that of every border of segment and part, in steps over 50 TiB (F1-SIZE-2)', () => {
    for (const step of [unit, part]) {
      const borders = Math.floor(largest / step);
      // Steps that share no factor with anything in the formula.
      for (let k = 0; k <= borders; k += Math.max(1, Math.floor(borders / 40_009))) {
        for (const length of [k * step - 1, k * step, k * step + 1]) {
          if (length >= 0 && length <= largest && plaintextSize(storedSize(length)) !== length) {
            assert.equal(plaintextSize(storedSize(length)), length, `length ${length}`);
          }
        }
      }
    }
  });

  it('is refused for all sizes between those of two neighbours (F1-SIZE-2)', () => {
    fc.assert(
      fc.property(interestingLength, (length) => {
        const here = documented(length);
        const before = length === 0 ? 0 : documented(length - 1);
        for (let stored = Math.max(before + 1, here - 200); stored < here; stored += 1) {
          assert.equal(plaintextSize(stored), undefined);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('is refused for what is no size at all', () => {
    for (const size of [-1, -416, 416.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 60]) {
      assert.equal(plaintextSize(size), undefined);
    }
  });
});

describe('size of a message', () => {
  it('is header, plaintext and 32 bytes a segment, of which there is at least one', () => {
    for (const size of segmentSizesBytes) {
      const table = [
        [0, 1],
        [1, 1],
        [size - 1, 1],
        [size, 1],
        [size + 1, 2],
        [2 * size, 2],
        [7 * size + 1, 8],
      ] as const;
      for (const [length, segments] of table) {
        assert.equal(segmentCount(length, size), segments);
        assert.equal(partStoredSize(length, size), 74 + length + 32 * segments);
      }
    }
  });

  it('gives the length of its plaintext back, and sizes of no message are refused', () => {
    const lengths = fc.integer({ min: 0, max: 5 * 2 ** 30 });
    fc.assert(
      fc.property(lengths, fc.constantFrom(...segmentSizesBytes), (length, size) => {
        assert.equal(partPlaintextSize(partStoredSize(length, size), size), length);
      }),
      { numRuns: 1_000 },
    );
    for (const size of segmentSizesBytes) {
      // Behind a full segment comes one with at least one byte, or none.
      for (let extra = 1; extra <= 32; extra += 1) {
        assert.equal(partPlaintextSize(partStoredSize(size, size) + extra, size), undefined);
      }
      for (const stored of [0, 10, 74, 105, -1, 106.5, Number.NaN]) {
        assert.equal(partPlaintextSize(stored, size), undefined);
      }
    }
  });
});
