import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { ObjectLayout, singleRangeGuess, type RangePlan } from '../../../src/envelope/layout.ts';
import { indexTailBytes } from '../../../src/envelope/object-index.ts';
import { segmentSizesBytes, storedSize } from '../../../src/envelope/sizes.ts';
import { indexParts, largest, mib, part, unit } from './envelope-support.ts';

function multipartLayout(lengths: readonly number[], segmentSizeBytes = unit): ObjectLayout {
  const parts = indexParts(lengths);
  const totalPlaintextBytes = lengths.reduce((sum, length) => sum + length, 0);
  return ObjectLayout.multipart({ totalPlaintextBytes, parts, checksums: [] }, segmentSizeBytes);
}

interface Segment {
  readonly partNumber: number;
  readonly segment: number;
  /** Of the object's payload, both inclusive; last < first in an empty segment. */
  readonly first: number;
  readonly last: number;
  readonly storedFirst: number;
  readonly storedLast: number;
  readonly isFinal: boolean;
}

/** Every segment of an object, laid one behind the other as section 5 says. */
function allSegments(parts: readonly { partNumber: number; length: number }[], size: number): Segment[] {
  const segments: Segment[] = [];
  let plaintext = 0;
  let stored = 0;
  for (const { partNumber, length } of parts) {
    stored += 74;
    let left = length;
    let segment = 0;
    do {
      const bytes = Math.min(size, left);
      left -= bytes;
      segments.push({
        partNumber,
        segment,
        first: plaintext,
        last: plaintext + bytes - 1,
        storedFirst: stored,
        storedLast: stored + bytes + 31,
        isFinal: left === 0,
      });
      plaintext += bytes;
      stored += bytes + 32;
      segment += 1;
    } while (left > 0);
  }
  return segments;
}

/** The segments that a plan reads, in the form of `allSegments`, walking its stored range without gaps. */
function plannedSegments(plan: RangePlan, size: number): Omit<Segment, 'first' | 'last'>[] {
  const planned: Omit<Segment, 'first' | 'last'>[] = [];
  let stored: number = plan.storedFirst;
  for (const slice of plan.slices) {
    if (slice.headerInline) {
      assert.equal(stored - slice.part.storedOffset, 0, 'a header that is read stands where the part begins');
      stored += 74;
    }
    for (let index = 0; index < slice.segmentCount; index += 1) {
      const isLast = index === slice.segmentCount - 1;
      const length = isLast ? slice.lastSegmentBytes : size + 32;
      planned.push({
        partNumber: slice.part.partNumber,
        segment: slice.firstSegment + index,
        storedFirst: stored,
        storedLast: stored + length - 1,
        isFinal: isLast && slice.finalIncluded,
      });
      stored += length;
    }
  }
  assert.equal(stored - 1, plan.storedLast, 'the stored range ends with the last segment');
  return planned;
}

const shape = fc.record({
  size: fc.constantFrom(65_536, 131_072, 1_048_576),
  lengths: fc
    .tuple(
      fc.array(
        fc.oneof(fc.constantFrom(part, part + 1, part + unit - 1, 7_000_001), fc.integer({ min: part, max: 9 * mib })),
        {
          maxLength: 4,
        },
      ),
      fc.oneof(fc.constantFrom(0, 1, unit, unit + 1), fc.integer({ min: 0, max: 6 * mib })),
    )
    .map(([lengths, last]) => [...lengths, last]),
  single: fc.boolean(),
  at: fc.tuple(fc.nat(), fc.nat()),
  near: fc.constantFrom(-1, 0, 1),
});

describe('ObjectLayout', () => {
  it('plans for any range the segments that it touches and no others, header and final one included', () => {
    fc.assert(
      fc.property(shape, ({ size, lengths, single, at, near }) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        if (total === 0) return;
        const parts = single
          ? [{ partNumber: 0, length: total }]
          : lengths.map((length, index) => ({ partNumber: index + 1, length }));
        const layout = single
          ? ObjectLayout.single({ plaintextBytes: total, segmentSizeBytes: size })
          : multipartLayout(lengths, size);
        // Half of the ranges begin beside a border.
        const start = at[0] % 2 === 0 ? at[0] : Math.floor((at[0] % total) / size) * size + near;
        const first = Math.max(0, start) % total;
        const last = first + (at[1] % Math.min(total - first, 3 * size));
        const plan = layout.locate({ first, last });

        const touched = allSegments(parts, size).filter((segment) => segment.last >= first && segment.first <= last);
        assert.deepEqual(
          plannedSegments(plan, size),
          touched.map(({ first: _first, last: _last, ...segment }) => segment),
        );
        const head = touched[0];
        assert.ok(head !== undefined);
        assert.equal(plan.skipBytes, first - head.first);
        assert.equal(plan.takeBytes, last - first + 1);
        const begins = plan.slices[0]?.part;
        const needed =
          single || head.segment === 0
            ? undefined
            : { storedOffset: begins?.storedOffset, partNumber: head.partNumber };
        assert.deepEqual(plan.headerNeeded, needed);
      }),
      { numRuns: 400 },
    );
  });

  it('plans the whole object with every segment, empty ones too', () => {
    for (const lengths of [[0], [1], [unit], [part, 0], [part + 1, part, 1]]) {
      const layout = multipartLayout(lengths);
      const parts = lengths.map((length, index) => ({ partNumber: index + 1, length }));
      const plan = layout.whole();
      assert.deepEqual(
        plannedSegments(plan, unit),
        allSegments(parts, unit).map(({ first: _first, last: _last, ...segment }) => segment),
      );
      assert.equal(plan.storedLast, layout.messagesBytes - 1);
      assert.deepEqual([plan.storedFirst, plan.skipBytes, plan.takeBytes], [0, 0, layout.plaintextBytes]);
    }
  });

  it('knows the sizes of the object, up to the largest', () => {
    const cases = [
      ObjectLayout.single({ plaintextBytes: 0, segmentSizeBytes: unit }),
      ObjectLayout.single({ plaintextBytes: largest, segmentSizeBytes: 2 ** 20 }),
      multipartLayout(Array<number>(10_000).fill(Math.floor(largest / 10_000))),
    ];
    for (const layout of cases) {
      const last = layout.parts.at(-1);
      assert.ok(last !== undefined);
      assert.equal(layout.storedBytes, storedSize(layout.plaintextBytes));
      assert.equal(layout.messagesBytes, last.storedOffset + last.storedBytes);
      assert.ok(layout.messagesBytes < layout.storedBytes && Number.isSafeInteger(layout.storedBytes));
      if (layout.plaintextBytes === 0) continue;
      const plan = layout.locate({ first: layout.plaintextBytes - 1, last: layout.plaintextBytes - 1 });
      assert.equal(plan.storedLast, layout.messagesBytes - 1);
    }
  });

  it('refuses ranges that are not within the object', () => {
    const layout = multipartLayout([part, 10]);
    const wrong: readonly (readonly [number, number])[] = [
      [-1, 5],
      [5, 4],
      [0, part + 10],
      [part + 10, part + 10],
      [0.5, 1],
      [0, Number.NaN],
      [Number.NaN, 1],
      [0, Number.POSITIVE_INFINITY],
    ];
    for (const [first, last] of wrong) assert.throws(() => layout.locate({ first, last }), RangeError);
    const empty = ObjectLayout.single({ plaintextBytes: 0, segmentSizeBytes: unit });
    assert.throws(() => empty.locate({ first: 0, last: 0 }), RangeError);
    assert.throws(() => ObjectLayout.multipart({ totalPlaintextBytes: 0, parts: [], checksums: [] }, unit), RangeError);
  });
});

describe('singleRangeGuess', () => {
  const guessed = fc.record({
    size: fc.constantFrom(...segmentSizesBytes),
    length: fc.integer({ min: 1, max: 2 ** 31 }),
    at: fc.tuple(fc.nat(), fc.nat()),
  });

  it('covers what a range of a single object needs, and begins exactly there', () => {
    fc.assert(
      fc.property(guessed, ({ size, length, at }) => {
        const first = at[0] % length;
        const last = first + (at[1] % (length - first));
        const plan = ObjectLayout.single({ plaintextBytes: length, segmentSizeBytes: size }).locate({ first, last });
        const closed = singleRangeGuess({ segmentSizeBytes: size, range: { first, last } });
        assert.ok('first' in closed && closed.last !== undefined);
        assert.equal(closed.first, plan.storedFirst);
        assert.ok(closed.last >= plan.storedLast);
        assert.ok(closed.last <= plan.storedLast + size, 'at most a segment too much');
        const open = singleRangeGuess({ segmentSizeBytes: size, range: { first } });
        assert.deepEqual(open, { first: plan.storedFirst });
      }),
    );
  });

  it('begins early enough for a suffix of objects below 2.4 GiB with segments of 64 KiB', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Math.floor(2.4 * 2 ** 30) }), fc.nat(), (length, drawn) => {
        const suffix = 1 + (drawn % length);
        const layout = ObjectLayout.single({ plaintextBytes: length, segmentSizeBytes: unit });
        const plan = layout.locate({ first: length - suffix, last: length - 1 });
        const guess = singleRangeGuess({ segmentSizeBytes: unit, range: { suffix } });
        assert.ok('suffix' in guess);
        assert.ok(layout.storedBytes - guess.suffix <= plan.storedFirst || plan.storedFirst === 0);
        assert.ok(guess.suffix <= suffix + (suffix / unit + 2) * 32 + 2 * unit + indexTailBytes, 'not much too early');
      }),
    );
  });
});
