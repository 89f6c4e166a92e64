import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ByteReader } from '../../../src/base/byte-reader.ts';
import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { readIndexRegion } from '../../../src/envelope/index-region-reader.ts';
import { ObjectLayout } from '../../../src/envelope/layout.ts';
import { buildIndexRegion, type IndexPart, type ObjectIndex } from '../../../src/envelope/object-index.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { streamOf } from '../crypto/floe-support.ts';
import { envelopeError, indexParts, payload, sealFor, unit } from './envelope-support.ts';

const malformed = envelopeError('malformed');
const failed = envelopeError('authentication_failed');
const truncated = envelopeError('truncated');
const secrets = ObjectSecrets.generate();
const gib = 2 ** 30;
const floeHeader = payload(74, 'FLOE header');

function indexWith(parts: readonly IndexPart[]): ObjectIndex {
  return {
    totalPlaintextBytes: parts.reduce((sum, { plaintextBytes }) => sum + plaintextBytes, 0),
    parts,
    checksums: [],
  };
}

/** An index region behind messages that nobody needs: gigabytes of them cost nothing here. */
function regionOf(index: ObjectIndex, layout: 'single' | 'multipart', segmentSizeBytes = unit) {
  const region = buildIndexRegion({ secrets, index, layout, segmentSizeBytes });
  const header = layout === 'single' ? { floeHeader } : {};
  return {
    region,
    bytes: Buffer.concat([Buffer.alloc(region.paddingBytes), region.sealed]),
    envelope: sealFor(secrets, { layout, suite: 'aes-256-gcm', segmentSizeBytes, ...header }),
    layout:
      layout === 'single'
        ? ObjectLayout.single({ plaintextBytes: index.totalPlaintextBytes, segmentSizeBytes })
        : ObjectLayout.multipart(index, segmentSizeBytes),
  };
}

type Region = ReturnType<typeof regionOf>;

function read(
  { envelope, layout, bytes }: Region,
  { stream, chunkBytes = 10_000 }: { stream?: ByteStream; chunkBytes?: number } = {},
) {
  return readIndexRegion(new ByteReader(stream ?? streamOf(bytes, chunkBytes)), { secrets, envelope, layout });
}

const small = regionOf(indexWith(indexParts([100])), 'multipart');
const single = regionOf(
  indexWith([{ partNumber: 0, plaintextBytes: 100, attemptTag: floeHeader.subarray(42, 50) }]),
  'single',
);
/** Segments of 1 MiB leave four megabytes of padding. */
const padded = regionOf(indexWith(indexParts([5 * gib, 3 * gib + 1])), 'multipart', 2 ** 20);

describe('readIndexRegion', () => {
  it('gives the index, however the bytes are cut', async () => {
    for (const region of [small, single]) {
      for (const chunkBytes of [1, 7, 64, 1_000]) {
        const index = await read(region, { chunkBytes });
        assert.equal(index.totalPlaintextBytes, 100);
      }
    }
    assert.ok(padded.region.paddingBytes > 3_000_000);
    for (const chunkBytes of [999, 65_536, 10_000_000]) {
      const index = await read(padded, { chunkBytes });
      assert.deepEqual(
        index.parts.map(({ plaintextBytes }) => plaintextBytes),
        [5 * gib, 3 * gib + 1],
      );
    }
  });

  it('refuses padding that is not zero, wherever it is (F1-IDX-2)', async () => {
    const places = [0, 1, 65_535, 65_536, 1_000_000, padded.region.paddingBytes - 1];
    for (const at of [...places, ...places.map((place) => padded.region.paddingBytes - 1 - place)]) {
      const bytes = Buffer.from(padded.bytes);
      bytes[at] = 1;
      await assert.rejects(read({ ...padded, bytes }), malformed, `byte ${at}`);
    }
    for (let at = 0; at < small.region.paddingBytes; at += 1) {
      const bytes = Buffer.from(small.bytes);
      bytes[at] = 0x80;
      await assert.rejects(read({ ...small, bytes }), malformed, `byte ${at}`);
    }
  });

  it('holds little of the padding at a time', async () => {
    let pulled = 0;
    const held: number[] = [];
    async function* zeros(): AsyncGenerator<Uint8Array> {
      for (let left = padded.region.paddingBytes; left > 0; left -= 1_000) {
        const chunk = Buffer.alloc(Math.min(left, 1_000));
        pulled += chunk.length;
        yield chunk;
      }
      yield padded.region.sealed;
    }
    const wrapped = zeros();
    const reader = new ByteReader(wrapped);
    const readMethod = reader.read.bind(reader);
    reader.read = async (length) => {
      held.push(length);
      return readMethod(length);
    };
    await readIndexRegion(reader, { secrets, envelope: padded.envelope, layout: padded.layout });
    assert.equal(pulled, padded.region.paddingBytes);
    assert.ok(Math.max(...held) <= 65_536);
  });

  it('tells an object that ends within its index (F1-READ-3)', async () => {
    for (let length = 0; length < small.bytes.length; length += 1) {
      await assert.rejects(read({ ...small, bytes: small.bytes.subarray(0, length) }), truncated);
    }
    for (const missing of [1, 100_000, 3_000_000]) {
      const bytes = padded.bytes.subarray(0, -missing);
      await assert.rejects(read({ ...padded, bytes }), truncated);
    }
  });

  it('tells an object that goes on behind its index (F1-READ-3)', async () => {
    const bytes = Buffer.concat([small.bytes, Buffer.of(0)]);
    for (const chunkBytes of [1, 10_000]) {
      await assert.rejects(read({ ...small, bytes }, { chunkBytes }), envelopeError('size_mismatch'));
    }
  });

  it('refuses a genuine index that names other parts than those that were read (F1-READ-4)', async () => {
    const mine = indexParts([5 * gib, 3 * gib]);
    const region = regionOf(indexWith(mine), 'multipart');
    await read(region);
    const [first, second] = mine;
    assert.ok(first !== undefined && second !== undefined);
    const others: readonly (readonly IndexPart[])[] = [
      [first, { ...second, partNumber: 3 }],
      [first, { ...second, attemptTag: payload(8, 'another attempt') }],
      [first, { ...second, attemptTag: Buffer.alloc(8) }],
      [
        { ...first, plaintextBytes: 5 * gib + 1 },
        { ...second, plaintextBytes: 3 * gib - 1 },
      ],
      [{ ...first, plaintextBytes: 8 * gib }],
      indexParts([gib, 2 * gib, 5 * gib]),
      // So long that it begins where the reader still expects padding.
      indexParts([gib, gib, gib, gib, gib, gib, gib, gib]),
    ];
    for (const parts of others) {
      const expected = parts.length > 3 ? malformed : failed;
      const other = regionOf(indexWith(parts), 'multipart');
      // The messages of the layout that was read, then the other index at the very end.
      const bytes = Buffer.concat([
        Buffer.alloc(region.bytes.length - other.region.sealed.length),
        other.region.sealed,
      ]);
      await assert.rejects(read({ ...region, bytes }), expected);
    }
  });

  it('refuses an index that is longer than one of these parts can be', async () => {
    // 155 is the longest index of one part, 302 what its message leaves.
    const bytes = Buffer.from(single.bytes);
    for (const wrong of [60, 155, 156, 302]) {
      bytes.writeUInt32BE(wrong, bytes.length - 8);
      await assert.rejects(read({ ...single, bytes }), failed, `${wrong}`);
    }
    bytes.writeUInt32BE(303, bytes.length - 8);
    await assert.rejects(read({ ...single, bytes }), malformed);
  });

  it('refuses a single object whose index names another attempt (F1-IDX-9)', async () => {
    for (const attemptTag of [payload(8, 'another'), Buffer.alloc(8)]) {
      const other = regionOf(indexWith([{ partNumber: 0, plaintextBytes: 100, attemptTag }]), 'single');
      await assert.rejects(read({ ...other, envelope: single.envelope }), malformed);
    }
  });

  it('passes the failure of its source on', async () => {
    const broken = new Error('backend went away');
    async function* source(): AsyncGenerator<Uint8Array> {
      yield small.bytes.subarray(0, 50);
      throw broken;
    }
    await assert.rejects(read(small, { stream: source() }), broken);
  });
});
