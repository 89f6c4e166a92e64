import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { FieldReader, malformed, u16, u32, u64, u8 } from '../../../src/envelope/field-reader.ts';
import { envelopeError } from './envelope-support.ts';

const cutOff = envelopeError('malformed');

describe('FieldReader', () => {
  it('reads big-endian fields in order, also from a view into other memory', () => {
    const memory = Buffer.from('ffff 01 0203 0000000500000006 aabbcc ffff'.replaceAll(' ', ''), 'hex');
    const reader = new FieldReader(memory.subarray(2, memory.length - 2));
    assert.equal(reader.u8(), 1);
    assert.equal(reader.u16(), 0x0203);
    assert.equal(reader.u64(Number.MAX_SAFE_INTEGER), 5 * 2 ** 32 + 6);
    assert.equal(reader.offset, 11);
    assert.deepEqual(reader.bytes(1), memory.subarray(13, 14));
    assert.deepEqual(reader.rest(), memory.subarray(14, 16));
    reader.end();
  });

  it('never goes past the end, and stays where it was', () => {
    const reader = new FieldReader(Buffer.of(7));
    assert.throws(() => reader.u16(), cutOff);
    assert.throws(() => reader.u64(1), cutOff);
    assert.throws(() => reader.bytes(2), cutOff);
    assert.throws(() => reader.end(), cutOff);
    assert.equal(reader.u8(), 7);
    assert.throws(() => reader.u8(), cutOff);
    assert.deepEqual(reader.bytes(0), Buffer.alloc(0));
  });

  it('refuses a u64 above its bound, to the last digit and up to the largest', () => {
    const bound = 50 * 2 ** 40;
    assert.equal(new FieldReader(u64(bound)).u64(bound), bound);
    for (const value of [BigInt(bound) + 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(value);
      assert.throws(() => new FieldReader(bytes).u64(bound), cutOff);
    }
  });

  it('reads what the writers wrote', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(65_535), fc.nat(2 ** 31 - 1), fc.maxSafeNat(), (a, b, c, d) => {
        const reader = new FieldReader(Buffer.concat([u8(a), u16(b), u64(d), u32(c)]));
        assert.deepEqual([reader.u8(), reader.u16(), reader.u64(Number.MAX_SAFE_INTEGER)], [a, b, d]);
        assert.equal(Buffer.from(reader.rest()).readUInt32BE(), c);
      }),
    );
  });

  it('has one kind of failure', () => {
    assert.equal(malformed('why').code, 'malformed');
    assert.equal(malformed('why').message, 'why');
  });
});
