import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { decodeFields, encodeFields, type EnvelopeFields } from '../../../src/envelope/envelope-fields.ts';
import { FieldReader } from '../../../src/envelope/field-reader.ts';
import { bytes, envelopeFields } from './arbitraries.ts';
import { envelopeError, payload } from './envelope-support.ts';

const malformed = envelopeError('malformed');
const unsupported = envelopeError('unsupported');

const multipart: EnvelopeFields = {
  suite: 'aes-256-gcm',
  segmentSizeBytes: 65_536,
  layout: 'multipart',
  salt: Buffer.alloc(32, 0xaa),
  commitment: Buffer.alloc(32, 0xbb),
  policy: 'pö',
  kekName: 'local',
  kekVersion: '7',
  wrappedBucketKey: Buffer.alloc(3, 0xcc),
  wrappedDek: Buffer.alloc(60, 0xdd),
};
const single: EnvelopeFields = { ...multipart, layout: 'single', floeHeader: Buffer.alloc(74, 0xee) };

/** The bytes of `multipart` as the document lays them out, each field to be replaced. */
function laidOut(replaced: Readonly<Record<string, string>> = {}): Buffer {
  const layout = {
    version: '01',
    suite: '01',
    log2: '10',
    layout: '01',
    salt: 'aa'.repeat(32),
    commitment: 'bb'.repeat(32),
    policy: '0370c3b6',
    kekName: '056c6f63616c',
    kekVersion: '0137',
    wrappedBucketKey: '0003cccccc',
    wrappedDek: 'dd'.repeat(60),
    recovery: '00',
    ...replaced,
  };
  return Buffer.from(Object.values(layout).join(''), 'hex');
}

function decode(encoded: Uint8Array): EnvelopeFields {
  return decodeFields(new FieldReader(encoded));
}

/** A field of so many bytes behind its length of `lengthBytes`. */
function sized(length: number, byte: string, lengthBytes = 1): string {
  return length.toString(16).padStart(2 * lengthBytes, '0') + byte.repeat(length);
}

describe('fields of the envelope', () => {
  it('are laid out as in the document', () => {
    assert.deepEqual(Buffer.from(encodeFields(multipart)), laidOut());
    assert.deepEqual(
      Buffer.from(encodeFields(single)),
      Buffer.concat([laidOut({ layout: '00' }), Buffer.alloc(74, 0xee)]),
    );
    const other = { ...multipart, suite: 'chacha20-poly1305', segmentSizeBytes: 2 ** 20 } as const;
    assert.deepEqual(Buffer.from(encodeFields(other)), laidOut({ suite: '02', log2: '14' }));
    const recoverable = { ...multipart, recovery: Buffer.alloc(88, 0xff) };
    assert.deepEqual(Buffer.from(encodeFields(recoverable)), laidOut({ recovery: sized(88, 'ff') }));
  });

  it('read back what was written, and write back what was read', () => {
    fc.assert(
      fc.property(envelopeFields, bytes(32), bytes(32), bytes(0, 5), (some, salt, commitment, after) => {
        const fields: EnvelopeFields = { ...some, salt, commitment };
        const encoded = encodeFields(fields);
        const reader = new FieldReader(Buffer.concat([encoded, after]));
        const read = decodeFields(reader);
        assert.deepEqual(read, fields);
        assert.equal(reader.rest().length, after.length);
        assert.deepEqual(encodeFields(read), encoded);
      }),
    );
  });

  it('are refused with an unknown version, suite, segment size or layout (F1-ENV-2)', () => {
    const known = { version: [1], suite: [1, 2], log2: [16, 17, 18, 19, 20], layout: [0, 1] };
    for (const [field, values] of Object.entries(known)) {
      for (let value = 0; value < 256; value += 1) {
        const encoded = laidOut({ [field]: value.toString(16).padStart(2, '0') });
        const whole = Buffer.concat([encoded, Buffer.alloc(74)]);
        if (values.includes(value)) decode(whole);
        else assert.throws(() => decode(whole), unsupported, `${field} ${value}`);
      }
    }
  });

  it('are refused with a length outside the table (F1-ENV-3)', () => {
    const bounds = [
      ['policy', 64, 1],
      ['kekName', 64, 1],
      ['kekVersion', 128, 1],
      ['wrappedBucketKey', 1_024, 2],
    ] as const;
    for (const [field, longest, lengthBytes] of bounds) {
      for (const length of [1, longest]) decode(laidOut({ [field]: sized(length, '41', lengthBytes) }));
      for (const length of [0, longest + 1, 256 ** lengthBytes - 1]) {
        assert.throws(() => decode(laidOut({ [field]: sized(length, '41', lengthBytes) })), malformed, field);
      }
    }
    for (let length = 1; length < 256; length++) {
      const encoded = laidOut({ recovery: sized(length, '41') });
      if (length === 88) assert.equal(decode(encoded).recovery?.length, 88);
      else assert.throws(() => decode(encoded), malformed, `recovery field of ${length} bytes`);
    }
  });

  it('are refused with a character outside the table (F1-ENV-3)', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const hex = byte.toString(16).padStart(2, '0');
      const printable = byte >= 0x21 && byte <= 0x7e;
      for (const field of ['kekName', 'kekVersion']) {
        for (const text of [`0341${hex}41`, `0241${hex}`, `02${hex}41`]) {
          const encoded = laidOut({ [field]: text });
          if (printable) decode(encoded);
          else assert.throws(() => decode(encoded), malformed, `${field} with byte ${hex}`);
        }
      }
    }
    // Not UTF-8: an overlong form, half a pair, a cut off character, a byte that never occurs.
    for (const policy of ['02c080', '03eda080', '01c3', '01ff', '04f4908080']) {
      assert.throws(() => decode(laidOut({ policy })), malformed, policy);
    }
    assert.equal(decode(laidOut({ policy: '03efbbbf' })).policy, '\ufeff');
  });

  it('are refused wherever they are cut off (F1-ENV-3)', () => {
    for (const fields of [multipart, single]) {
      const encoded = encodeFields(fields);
      for (let length = 0; length < encoded.length; length += 1) {
        assert.throws(() => decode(encoded.subarray(0, length)), malformed, `${length} bytes`);
      }
    }
  });

  it('have a FLOE header in the single layout and only there (F1-ENV-4)', () => {
    assert.deepEqual(decode(encodeFields(single)).floeHeader, single.floeHeader);
    const reader = new FieldReader(Buffer.concat([encodeFields(multipart), payload(74)]));
    assert.equal(decodeFields(reader).floeHeader, undefined);
    assert.equal(reader.rest().length, 74);
    const { floeHeader, ...headless } = single;
    assert.throws(() => encodeFields(headless), RangeError);
    assert.throws(() => encodeFields({ ...multipart, ...(floeHeader && { floeHeader }) }), RangeError);
    assert.throws(() => encodeFields({ ...single, floeHeader: payload(73) }), RangeError);
  });

  it('are not written with what they cannot hold', () => {
    const wrong: readonly Partial<EnvelopeFields>[] = [
      { segmentSizeBytes: 32_768 },
      { segmentSizeBytes: 65_537 },
      { salt: payload(31) },
      { commitment: payload(33) },
      { policy: '' },
      { policy: 'ä'.repeat(33) },
      { policy: 'half a pair \ud800' },
      { kekName: '' },
      { kekName: 'a b' },
      { kekName: 'é' },
      { kekName: 'k'.repeat(65) },
      { kekVersion: '' },
      { kekVersion: 'v'.repeat(129) },
      { kekVersion: '1\n' },
      { wrappedBucketKey: payload(0) },
      { wrappedBucketKey: payload(1_025) },
      { wrappedDek: payload(59) },
    ];
    for (const change of wrong) {
      assert.throws(() => encodeFields({ ...multipart, ...change }), RangeError, JSON.stringify(change));
    }
  });
});
