import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import {
  decodeChecksums,
  encodeChecksums,
  maxChecksumsBytes,
  type SealedChecksum,
} from '../../../src/envelope/checksums.ts';
import { FieldReader } from '../../../src/envelope/field-reader.ts';
import { checksumList, lengthOf } from './arbitraries.ts';
import { envelopeError, payload } from './envelope-support.ts';

const malformed = envelopeError('malformed');

function decode(hex: string): readonly SealedChecksum[] {
  return decodeChecksums(new FieldReader(Buffer.from(hex.replaceAll(' ', ''), 'hex')));
}

describe('checksum list', () => {
  it('is what the document says, in the order of ids whatever order it is given in', () => {
    const list: SealedChecksum[] = [
      { algorithm: 'md5', type: 'full-object', value: Buffer.alloc(16, 0x66) },
      { algorithm: 'crc32', type: 'composite', value: Buffer.from('01020304', 'hex') },
      { algorithm: 'sha1', type: 'full-object', value: Buffer.alloc(20, 0x44) },
      { algorithm: 'crc64nvme', type: 'full-object', value: Buffer.alloc(8, 0x33) },
      { algorithm: 'sha256', type: 'composite', value: Buffer.alloc(32, 0x55) },
      { algorithm: 'crc32c', type: 'full-object', value: Buffer.from('0a0b0c0d', 'hex') },
    ];
    const expected =
      '06' +
      ['0101 01020304', '0200 0a0b0c0d', `0300 ${'33'.repeat(8)}`, `0400 ${'44'.repeat(20)}`].join('') +
      [`0501 ${'55'.repeat(32)}`, `0600 ${'66'.repeat(16)}`].join('');
    const encoded = Buffer.from(encodeChecksums(list));
    assert.equal(encoded.toString('hex'), expected.replaceAll(' ', ''));
    assert.equal(encoded.length, maxChecksumsBytes);
    assert.deepEqual(Buffer.from(encodeChecksums([])), Buffer.of(0));
  });

  it('reads back what was written, and nothing behind it', () => {
    fc.assert(
      fc.property(checksumList, fc.uint8Array({ maxLength: 4 }), (list, after) => {
        const reader = new FieldReader(Buffer.concat([encodeChecksums(list), after]));
        const read = decodeChecksums(reader).map((entry) => ({ ...entry, value: Buffer.from(entry.value) }));
        assert.deepEqual(read, list);
        assert.equal(reader.rest().length, after.length);
      }),
    );
  });

  it('is refused unless ids ascend and types are 0 or 1 (F1-SUM-1)', () => {
    const crc32 = '01 00 01020304';
    const crc32c = '02 00 01020304';
    assert.equal(decode(`02 ${crc32} ${crc32c}`).length, 2);
    assert.throws(() => decode(`02 ${crc32c} ${crc32}`), malformed);
    assert.throws(() => decode(`02 ${crc32} ${crc32}`), malformed);
    for (const type of ['02', '80', 'ff']) assert.throws(() => decode(`01 01 ${type} 01020304`), malformed);
  });

  it('is refused as not supported where an id is unknown (F1-SUM-1)', () => {
    for (const id of ['00', '0b', '80', 'ff']) {
      assert.throws(() => decode(`01 ${id} 00 01020304`), envelopeError('unsupported'));
    }
  });

  it('is refused wherever it is cut off', () => {
    const whole = encodeChecksums([
      { algorithm: 'crc32', type: 'full-object', value: payload(4) },
      { algorithm: 'sha256', type: 'full-object', value: payload(32) },
    ]);
    for (let length = 0; length < whole.length; length += 1) {
      assert.throws(() => decodeChecksums(new FieldReader(whole.subarray(0, length))), malformed);
    }
  });

  it('has ids for what S3 took up later, and no more than there is room for (F1-SUM-2)', () => {
    const later = ['sha512', 'xxhash64', 'xxhash3', 'xxhash128'] as const;
    for (const [index, algorithm] of later.entries()) {
      const value = payload(lengthOf.find(([name]) => name === algorithm)?.[1] ?? 0);
      const encoded = Buffer.from(encodeChecksums([{ algorithm, type: 'composite', value }]));
      assert.deepEqual(encoded.subarray(0, 3), Buffer.of(1, 7 + index, 1));
      assert.deepEqual(encoded.subarray(3), Buffer.from(value));
    }
    const [sha512, sha256, md5] = [64, 32, 16].map((length) => ({
      type: 'full-object' as const,
      value: payload(length),
    }));
    assert.ok(sha512 !== undefined && sha256 !== undefined && md5 !== undefined);
    const two = [
      { algorithm: 'sha512' as const, ...sha512 },
      { algorithm: 'md5' as const, ...md5 },
    ];
    assert.equal(encodeChecksums(two).length, 85);
    assert.throws(() => encodeChecksums([...two, { algorithm: 'sha256' as const, ...sha256 }]), RangeError);
  });

  it('is not written with a value of another length or an algorithm twice', () => {
    for (const [algorithm, length] of lengthOf) {
      const entry = { algorithm, type: 'full-object' as const };
      encodeChecksums([{ ...entry, value: payload(length) }]);
      for (const wrong of [0, length - 1, length + 1]) {
        assert.throws(() => encodeChecksums([{ ...entry, value: payload(wrong) }]), RangeError);
      }
      const twice = { ...entry, value: payload(length) };
      assert.throws(() => encodeChecksums([twice, twice]), RangeError);
    }
  });
});
