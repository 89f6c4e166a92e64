import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { openAead, sealAead } from '../../../src/crypto/aead.ts';
import type { RandomSource } from '../../../src/crypto/random.ts';
import { encodeChecksums } from '../../../src/envelope/checksums.ts';
import {
  buildIndexRegion,
  contiguousRegion,
  indexTailBytes,
  maxSealedIndexBytes,
  messagesSize,
  openIndex,
  trailerBytes,
  type IndexPart,
  type ObjectIndex,
} from '../../../src/envelope/object-index.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { partStoredSize, segmentSizesBytes, storedSize } from '../../../src/envelope/sizes.ts';
import { collect } from '../crypto/floe-support.ts';
import { checksumList, longestList } from './arbitraries.ts';
import {
  envelopeError,
  flipBit,
  indexParts,
  largest,
  mib,
  part,
  payload,
  seededRandom,
  unit,
} from './envelope-support.ts';

const malformed = envelopeError('malformed');
const failed = envelopeError('authentication_failed');
const mismatch = envelopeError('size_mismatch');
const secrets = ObjectSecrets.generate();

type Layout = 'single' | 'multipart';

function totalOf(parts: readonly Pick<IndexPart, 'plaintextBytes'>[]): number {
  return parts.reduce((sum, { plaintextBytes }) => sum + plaintextBytes, 0);
}

/** The index of a multipart object with these parts. */
function multipartIndex(parts: readonly IndexPart[]): ObjectIndex {
  return { totalPlaintextBytes: totalOf(parts), parts, checksums: [] };
}

function integer(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes.subarray(8 - length);
}

interface Forged {
  readonly version?: number;
  readonly layout?: number;
  readonly total?: number;
  readonly count?: number;
  readonly parts: readonly IndexPart[];
  readonly checksums?: Uint8Array;
  readonly after?: Uint8Array;
}

/** Plaintext of an index as the document lays it out, with anything wrong in it that a test wants. */
function laidOut({ version = 1, layout = 1, parts, ...forged }: Forged): Buffer {
  return Buffer.concat([
    Buffer.of(version, layout),
    integer(forged.total ?? totalOf(parts), 8),
    integer(forged.count ?? parts.length, 2),
    ...parts.flatMap(({ partNumber, plaintextBytes, attemptTag }) => [
      integer(partNumber, 2),
      integer(plaintextBytes, 8),
      attemptTag,
    ]),
    forged.checksums ?? Buffer.of(0),
    forged.after ?? Buffer.alloc(0),
  ]);
}

function documentedAad(storedBytes: number, commitment = secrets.commitment): Buffer {
  return Buffer.concat([Buffer.from('s3eg1 index'), Buffer.of(1), commitment, integer(storedBytes, 8)]);
}

/** The last bytes of an object of so many plaintext bytes: some padding, the given index sealed as documented, trailer. */
function forgedTail(plaintext: Uint8Array, totalPlaintextBytes: number, paddingBytes = 0): Buffer {
  using key = secrets.indexKey();
  const sealed = sealAead({ key, plaintext, aad: documentedAad(storedSize(totalPlaintextBytes)) });
  return Buffer.concat([Buffer.alloc(paddingBytes), sealed, integer(sealed.length, 4), Buffer.from('S3E1')]);
}

/** The last eight bytes of an object. */
function trailer(sealedBytes: number): Buffer {
  return Buffer.concat([integer(sealedBytes, 4), Buffer.from('S3E1')]);
}

/** Parts of the smallest length that may stand anywhere, with these numbers. */
function numbered(...numbers: readonly number[]): IndexPart[] {
  return numbers.map((partNumber) => ({ partNumber, plaintextBytes: part, attemptTag: payload(8) }));
}

function asText({ partNumber, plaintextBytes, attemptTag }: IndexPart): string {
  return `${partNumber} ${plaintextBytes} ${Buffer.from(attemptTag).toString('hex')}`;
}

/** The nonce of the same index, built anew. */
function freshNonce(random?: RandomSource): Uint8Array {
  const input = {
    secrets,
    index: multipartIndex(indexParts([1])),
    layout: 'multipart',
    segmentSizeBytes: unit,
  } as const;
  return buildIndexRegion(random === undefined ? input : { ...input, random }).sealed.subarray(0, 12);
}

interface Opening {
  readonly layout?: Layout;
  readonly segmentSizeBytes?: number;
  readonly secrets?: ObjectSecrets;
}

function open(
  tail: Uint8Array,
  totalPlaintextBytes: number,
  options: Opening = {},
): ObjectIndex | { needBytes: number } {
  const storedBytes = storedSize(totalPlaintextBytes);
  return openIndex({ secrets, layout: 'multipart', segmentSizeBytes: unit, ...options, tail, storedBytes });
}

/** Opens a forged index whose total is what the object's size says, unless told otherwise. */
function openForged(forged: Forged, totalPlaintextBytes = totalOf(forged.parts), options: Opening = {}) {
  return open(forgedTail(laidOut(forged), totalPlaintextBytes), totalPlaintextBytes, options);
}

const partLength = fc.oneof(
  fc.constantFrom(part, part + 1, part + unit - 1, part + unit, 7_000_001),
  fc.integer({ min: part, max: 5 * 2 ** 30 }),
);
const lastLength = fc.oneof(fc.constantFrom(0, 1, unit, part - 1, part), fc.integer({ min: 0, max: 5 * 2 ** 30 }));

/** Lengths of the parts of a legal object: up to 10 000 and up to 50 TiB, all but the last of at least 5 MiB. */
const legalLengths = fc
  .tuple(
    fc.oneof(
      fc.array(partLength, { maxLength: 20 }),
      // Many parts that all take the room of their segments most badly, or all the same.
      fc
        .tuple(fc.integer({ min: 0, max: 9_999 }), partLength)
        .map(([count, length]) => Array<number>(count).fill(length)),
    ),
    lastLength,
  )
  .map(([lengths, last]) => [...lengths, last])
  .filter((lengths) => lengths.reduce((sum, length) => sum + length, 0) <= largest);

/** Any legal index of the multipart layout. */
const anyIndex = fc
  .tuple(
    fc.array(fc.tuple(partLength, fc.integer({ min: 1, max: 400 })), { maxLength: 20 }),
    fc.tuple(lastLength, fc.integer({ min: 1, max: 400 })),
    checksumList,
  )
  .map(([parts, last, checksums]) => {
    let partNumber = 0;
    const listed = [...parts, last].map(([plaintextBytes, step]) => {
      partNumber += step;
      return { partNumber, plaintextBytes, attemptTag: payload(8, `tag ${partNumber}`) };
    });
    return { totalPlaintextBytes: totalOf(listed), parts: listed, checksums };
  });

describe('padding', () => {
  it('is never negative, for any legal part list and any segment size (F1-IDX-1)', () => {
    fc.assert(
      fc.property(legalLengths, fc.constantFrom(...segmentSizesBytes), (lengths, segmentSizeBytes) => {
        const parts = lengths.map((plaintextBytes) => ({ plaintextBytes }));
        const longest = maxSealedIndexBytes(lengths.length) + trailerBytes;
        const regionBytes = storedSize(totalOf(parts)) - messagesSize(parts, segmentSizeBytes);
        assert.ok(regionBytes >= longest, `region of ${regionBytes} bytes, index of ${longest}`);
      }),
      { numRuns: 400 },
    );
  });

  it('is what the messages and the longest index leave, in the tightest objects there are (F1-IDX-1)', () => {
    const checksums = longestList;
    for (const lengths of [
      [0],
      [1],
      [part, 0],
      [part, 1],
      Array<number>(10_000).fill(part),
      Array<number>(10_000).fill(part + 1),
    ]) {
      const index = { ...multipartIndex(indexParts(lengths)), checksums };
      for (const segmentSizeBytes of segmentSizesBytes) {
        const region = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes });
        assert.ok(region.paddingBytes >= 0);
        assert.equal(region.sealed.length, maxSealedIndexBytes(lengths.length) + trailerBytes);
        assert.equal(region.lengthBytes, region.paddingBytes + region.sealed.length);
        assert.equal(
          region.lengthBytes,
          storedSize(index.totalPlaintextBytes) - messagesSize(index.parts, segmentSizeBytes),
        );
      }
    }
  });
});

describe('index region', () => {
  it('fills any object up to its stored size with zeros, the index and the trailer (F1-IDX-1, F1-IDX-2)', async () => {
    await fc.assert(
      fc.asyncProperty(anyIndex, fc.constantFrom(...segmentSizesBytes), async (index, segmentSizeBytes) => {
        const region = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes });
        const messages = index.parts.reduce(
          (sum, { plaintextBytes }) => sum + partStoredSize(plaintextBytes, segmentSizeBytes),
          0,
        );
        assert.equal(messages + region.lengthBytes, storedSize(index.totalPlaintextBytes));
        // Above some megabytes the stream is the same zeros again.
        if (region.lengthBytes > 4 * mib) return;
        const streamed = await collect(region.stream());
        assert.equal(streamed.length, region.lengthBytes);
        assert.ok(streamed.subarray(0, region.paddingBytes).every((byte) => byte === 0));
        assert.equal(Buffer.compare(streamed.subarray(region.paddingBytes), region.sealed), 0);
        assert.equal(Buffer.compare(streamed, contiguousRegion(region)), 0);
        assert.equal(Buffer.compare(streamed, await collect(region.stream())), 0, 'it can be streamed again');
      }),
      { numRuns: 40 },
    );
  });

  it('is laid out as in the document, the AAD included (F1-IDX-5)', () => {
    const parts = indexParts([part, 3], 9_999);
    const crc32 = { algorithm: 'crc32', type: 'composite', value: Buffer.from('01020304', 'hex') } as const;
    const index = { ...multipartIndex(parts), checksums: [crc32] };
    const { sealed } = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes: unit });
    const trailer = Buffer.from(sealed.subarray(-8));
    assert.equal(trailer.readUInt32BE(0), sealed.length - 8);
    assert.equal(trailer.subarray(4).toString(), 'S3E1');
    using key = secrets.indexKey();
    const aad = documentedAad(storedSize(part + 3));
    const opened = openAead({ key, sealed: sealed.subarray(0, -8), aad });
    assert.deepEqual(Buffer.from(opened), laidOut({ parts, checksums: Buffer.from('01010101020304', 'hex') }));
  });

  it('draws a fresh nonce each time it is built (F1-IDX-6)', () => {
    const nonces = new Set(Array.from({ length: 50 }, () => Buffer.from(freshNonce()).toString('hex')));
    assert.equal(nonces.size, 50);
    assert.deepEqual(Buffer.from(freshNonce(seededRandom('index'))), Buffer.from(seededRandom('index')(12)));
  });

  it('is not built for an index that breaks the format (F1-IDX-8, F1-IDX-9, F1-IDX-10)', () => {
    const build = (index: ObjectIndex, layout: Layout) => () =>
      buildIndexRegion({ secrets, index, layout, segmentSizeBytes: unit });
    const two = indexParts([part, 3]);
    const wrong: readonly (readonly [ObjectIndex, Layout])[] = [
      [multipartIndex([]), 'multipart'],
      [multipartIndex(two), 'single'],
      [multipartIndex(indexParts([3])), 'single'],
      [multipartIndex(indexParts([3], 0)), 'multipart'],
      [multipartIndex(indexParts([3], 10_001)), 'multipart'],
      [multipartIndex(two.toReversed()), 'multipart'],
      [multipartIndex(indexParts([part - 1, 3])), 'multipart'],
      [{ ...multipartIndex(two), totalPlaintextBytes: part + 4 }, 'multipart'],
      [multipartIndex([{ partNumber: 1, plaintextBytes: 3, attemptTag: payload(7) }]), 'multipart'],
      [multipartIndex([{ partNumber: 1, plaintextBytes: 0.5, attemptTag: payload(8) }]), 'multipart'],
      [multipartIndex([{ partNumber: 1.5, plaintextBytes: 3, attemptTag: payload(8) }]), 'multipart'],
      [multipartIndex([{ partNumber: 1, plaintextBytes: -1, attemptTag: payload(8) }]), 'multipart'],
      [multipartIndex(indexParts([largest + 1])), 'multipart'],
    ];
    for (const [index, layout] of wrong) assert.throws(build(index, layout), RangeError);
    build(multipartIndex(two), 'multipart')();
    build(multipartIndex(indexParts([3], 0)), 'single')();
  });
});

describe('openIndex', () => {
  it('reads back any index that was built, from as much of the end as it asks for', () => {
    fc.assert(
      fc.property(anyIndex, fc.constantFrom(...segmentSizesBytes), (index, segmentSizeBytes) => {
        const { sealed } = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes });
        const total = index.totalPlaintextBytes;
        const options = { segmentSizeBytes };
        assert.deepEqual(open(sealed.subarray(-7), total, options), { needBytes: trailerBytes });
        assert.deepEqual(open(sealed.subarray(-8), total, options), { needBytes: sealed.length });
        assert.deepEqual(open(sealed.subarray(1), total, options), { needBytes: sealed.length });
        const opened = open(sealed, total, options);
        assert.ok('parts' in opened);
        assert.equal(opened.totalPlaintextBytes, total);
        assert.deepEqual(opened.parts.map(asText), index.parts.map(asText));
        assert.deepEqual(
          opened.checksums.map((checksum) => ({ ...checksum, value: Buffer.from(checksum.value) })),
          index.checksums,
        );
      }),
    );
  });

  it('finds the index of 3 600 parts in the tail that is read at first', () => {
    const index = multipartIndex(indexParts(Array<number>(3_600).fill(part)));
    const region = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes: unit });
    assert.ok(region.sealed.length <= indexTailBytes);
  });

  it('refuses padding that is not zero, as far as the tail has it (F1-IDX-2)', () => {
    const index = multipartIndex(indexParts([100]));
    const region = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes: unit });
    const whole = contiguousRegion(region);
    assert.ok(region.paddingBytes > 100);
    for (let at = 0; at < region.paddingBytes; at += 1) {
      const wrong = Buffer.from(whole);
      wrong[at] = 1 << (at & 7);
      assert.throws(() => open(wrong, 100), malformed);
      // What is in front of the region are messages, which may hold anything.
      assert.throws(() => open(Buffer.concat([payload(200), wrong]), 100), malformed);
      assert.ok('parts' in open(wrong.subarray(at + 1), 100));
    }
    assert.ok('parts' in open(Buffer.concat([payload(200), whole]), 100));
  });

  it('refuses another end than S3E1 (F1-IDX-3)', () => {
    const tail = forgedTail(laidOut({ parts: indexParts([100]) }), 100);
    for (let bit = 0; bit < 32; bit += 1) {
      const wrong = flipBit(tail, (tail.length - 4) * 8 + bit);
      assert.throws(() => open(wrong, 100), malformed);
      assert.throws(() => open(wrong.subarray(-8), 100), malformed, 'before it asks for more');
    }
  });

  it('refuses a sealed length outside its bounds before it asks for the bytes (F1-IDX-4)', () => {
    const huge = 10_000 * part;
    for (const length of [0, 1, 58, 180_138, 2 ** 31, 2 ** 32 - 1]) {
      assert.throws(() => open(trailer(length), huge), malformed, `${length}`);
    }
    for (const length of [59, 180_137]) {
      assert.deepEqual(open(trailer(length), huge), { needBytes: length + 8 });
    }
    // Behind a message of 100 bytes stand 416 + 100 - 206 = 310, eight of which are the trailer.
    assert.deepEqual(open(trailer(302), 100), { needBytes: 310 });
    assert.throws(() => open(trailer(303), 100), malformed);
    // A larger segment leaves more room.
    const room = storedSize(10 * unit) - partStoredSize(10 * unit, 2 ** 20) - 8;
    const options = { segmentSizeBytes: 2 ** 20 };
    assert.deepEqual(open(trailer(room), 10 * unit, options), { needBytes: room + 8 });
    assert.throws(() => open(trailer(room + 1), 10 * unit, options), malformed);
  });

  it('refuses an index under another key, for another object or in one of another size (F1-IDX-5)', () => {
    const forged = { parts: indexParts([100]) };
    const plaintext = laidOut(forged);
    assert.ok('parts' in openForged(forged));
    using others = ObjectSecrets.generate();
    assert.throws(() => openForged(forged, 100, { secrets: others }), failed);
    assert.throws(() => open(forgedTail(plaintext, 101), 100), failed);
    using key = secrets.indexKey();
    const aads = [
      documentedAad(storedSize(100), payload(32, 'another commitment')),
      Buffer.concat([Buffer.from('s3eg1 index'), Buffer.of(2), documentedAad(storedSize(100)).subarray(12)]),
      Buffer.from('s3eg1 index'),
    ];
    for (const aad of aads) {
      const sealed = sealAead({ key, plaintext, aad });
      const tail = Buffer.concat([sealed, integer(sealed.length, 4), Buffer.from('S3E1')]);
      assert.throws(() => open(tail, 100), failed);
    }
  });

  it('refuses a sealed index with any bit changed (F1-IDX-5)', () => {
    const tail = forgedTail(laidOut({ parts: indexParts([100]) }), 100);
    for (let bit = 0; bit < (tail.length - 8) * 8; bit += 1) {
      assert.throws(() => open(flipBit(tail, bit), 100), failed);
    }
  });

  it('refuses another version, and another layout than the envelope’s (F1-IDX-7)', () => {
    const parts = indexParts([100]);
    for (const version of [0, 2, 255]) {
      assert.throws(() => openForged({ version, parts }), envelopeError('unsupported'));
    }
    for (const layout of [0, 2, 255]) assert.throws(() => openForged({ layout, parts }), malformed);
    const single = indexParts([100], 0);
    assert.ok('parts' in openForged({ layout: 0, parts: single }, 100, { layout: 'single' }));
    assert.throws(() => openForged({ layout: 1, parts }, 100, { layout: 'single' }), malformed);
  });

  it('refuses lengths that do not add up (F1-IDX-8)', () => {
    const parts = indexParts([part, 100]);
    const total = part + 100;
    assert.ok('parts' in openForged({ parts }, total));
    // The sum differs, then the total, then both from the object's size.
    assert.throws(() => openForged({ parts: indexParts([part, 99]), total }, total), mismatch);
    assert.throws(() => openForged({ parts, total: total - 1 }, total), mismatch);
    assert.throws(() => openForged({ parts: indexParts([part, 99]) }, total), mismatch);
    assert.throws(() => openForged({ parts: indexParts([part, 101]) }, total), mismatch);
    // Sums that a number cannot hold exactly.
    const many = indexParts(Array<number>(10_000).fill(largest));
    assert.throws(() => open(forgedTail(laidOut({ parts: many, total: largest }), largest), largest), mismatch);
  });

  it('refuses a length above 50 TiB (F1-SIZE-3)', () => {
    assert.throws(() => openForged({ parts: indexParts([100]), total: largest + 1 }, 100), malformed);
    assert.throws(() => openForged({ parts: indexParts([largest + 1]), total: 100 }, 100), malformed);
    assert.throws(() => openForged({ parts: indexParts([largest]), total: largest }, 100), mismatch);
  });

  it('refuses parts whose numbers the layout does not have, or in another order (F1-IDX-9)', () => {
    for (const numbers of [[], [0], [10_001], [65_535], [0, 1], [1, 1], [2, 1], [1, 3, 2], [9_999, 10_001]]) {
      const parts = numbered(...numbers);
      assert.throws(() => openForged({ parts }), malformed, numbers.join());
    }
    for (const numbers of [[1], [10_000], [1, 2], [1, 10_000]]) {
      assert.ok('parts' in openForged({ parts: numbered(...numbers) }), numbers.join());
    }
    for (const numbers of [[], [1], [0, 0], [0, 1]]) {
      const forged = { layout: 0, parts: numbered(...numbers) };
      assert.throws(() => openForged(forged, totalOf(forged.parts), { layout: 'single' }), malformed, numbers.join());
    }
  });

  it('refuses more than 10 000 parts (F1-IDX-9)', () => {
    const parts = indexParts(Array<number>(10_001).fill(part));
    assert.throws(() => openForged({ parts }), malformed);
    assert.ok('parts' in openForged({ parts: parts.slice(0, 10_000) }));
  });

  it('refuses a part below 5 MiB that is not the last (F1-IDX-10)', () => {
    for (const lengths of [
      [part - 1, part],
      [part, part - 1, part],
      [0, part],
      [part, 0, 0],
    ]) {
      assert.throws(() => openForged({ parts: indexParts(lengths) }), malformed, lengths.join());
    }
    for (const lengths of [[part, 0], [part, part - 1], [0], [part, part, 1]]) {
      assert.ok('parts' in openForged({ parts: indexParts(lengths) }), lengths.join());
    }
  });

  it('refuses bytes behind the checksums, and less than it says (F1-IDX-11)', () => {
    const parts = indexParts([part, 100]);
    assert.throws(() => openForged({ parts, after: Buffer.of(0) }), malformed);
    assert.throws(() => openForged({ parts, count: 1 }), envelopeError('malformed', 'unsupported'));
    assert.throws(() => openForged({ parts, count: 3 }), malformed);
    assert.throws(() => openForged({ parts, count: 65_535 }), malformed);
    const whole = laidOut({ parts, checksums: Buffer.from('01010001020304', 'hex') });
    const total = totalOf(parts);
    for (let length = 31; length < whole.length; length += 1) {
      assert.throws(() => open(forgedTail(whole.subarray(0, length), total), total), malformed, `${length} bytes`);
    }
    assert.ok('parts' in open(forgedTail(whole, total), total));
  });

  it('reads whatever was sealed under its key as it was written, or refuses it as an EnvelopeError', () => {
    const genuine = laidOut({ parts: indexParts([part, 100]) });
    const damaged = fc
      .tuple(fc.nat(60), fc.nat(60), fc.uint8Array({ maxLength: 20 }))
      .map(([from, to, inserted]) => Buffer.concat([genuine.subarray(0, from), inserted, genuine.subarray(to)]));
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ minLength: 31, maxLength: 100 })), (plaintext) => {
        if (plaintext.length < 31) return true;
        let read: ReturnType<typeof open>;
        try {
          read = open(forgedTail(plaintext, part + 100), part + 100);
        } catch (error) {
          return envelopeError('malformed', 'unsupported', 'size_mismatch')(error);
        }
        assert.ok('parts' in read);
        const { parts, checksums } = read;
        return Buffer.compare(laidOut({ parts, checksums: encodeChecksums(checksums) }), plaintext) === 0;
      }),
      { numRuns: 500 },
    );
  });

  it('refuses an object of a size that none has, and a tail longer than the object', () => {
    const tail = forgedTail(laidOut({ parts: indexParts([100]) }), 100);
    const input = { secrets, layout: 'multipart', segmentSizeBytes: unit, tail } as const;
    assert.throws(() => openIndex({ ...input, storedBytes: 415 }), envelopeError('not_format_1'));
    assert.throws(() => openIndex({ ...input, storedBytes: Number.NaN }), envelopeError('not_format_1'));
    const padded = Buffer.concat([Buffer.alloc(storedSize(100)), tail]);
    assert.throws(() => openIndex({ ...input, tail: padded, storedBytes: storedSize(100) }), malformed);
  });
});
