import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { combineCrcs, type CrcAlgorithm } from '../../../src/s3/crc-combine.ts';

/** Bit by bit from the definition: shares nothing with what it checks. */
const definitions: Readonly<Record<CrcAlgorithm, { readonly bits: bigint; readonly polynomial: bigint }>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
};

function crcOf(algorithm: CrcAlgorithm, bytes: Uint8Array): Buffer {
  const { bits, polynomial } = definitions[algorithm];
  const ones = (1n << bits) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return Buffer.from((crc ^ ones).toString(16).padStart(Number(bits) / 4, '0'), 'hex');
}

const algorithms = ['CRC32', 'CRC32C', 'CRC64NVME'] as const;

/** Check values of the catalogue of parametrised CRC algorithms, for `123456789`. */
const known: Readonly<Record<CrcAlgorithm, string>> = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
};

for (const algorithm of algorithms) {
  describe(`combined ${algorithm}`, () => {
    it('is that of the joined bytes, for a known value cut at every place', () => {
      const text = Buffer.from('123456789');
      assert.equal(crcOf(algorithm, text).toString('hex'), known[algorithm]);
      for (let cut = 0; cut <= text.length; cut++) {
        const pieces = [text.subarray(0, cut), text.subarray(cut)].map((bytes) => ({
          value: crcOf(algorithm, bytes),
          lengthBytes: bytes.length,
        }));
        assert.equal(combineCrcs(algorithm, pieces).toString('hex'), known[algorithm], `cut at ${cut}`);
      }
    });

    it('is that of the joined bytes, for any pieces', () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 }), (arrays) => {
          const pieces = arrays.map((bytes) => ({ value: crcOf(algorithm, bytes), lengthBytes: bytes.length }));
          assert.deepEqual(combineCrcs(algorithm, pieces), crcOf(algorithm, Buffer.concat(arrays)));
        }),
      );
    });

    it('is right for lengths that no test could compute byte by byte', () => {
      // Combining is associative: one large piece and the pieces that it is made of must agree.
      const unit = { value: crcOf(algorithm, Buffer.from('unit')), lengthBytes: 4 };
      let large = unit;
      const doublings = 33;
      for (let step = 0; step < doublings; step++) {
        large = { value: combineCrcs(algorithm, [large, large]), lengthBytes: large.lengthBytes * 2 };
      }
      const half = { value: large.value, lengthBytes: large.lengthBytes };
      const left = combineCrcs(algorithm, [half, half, half]);
      const pair = { value: combineCrcs(algorithm, [half, half]), lengthBytes: half.lengthBytes * 2 };
      assert.deepEqual(combineCrcs(algorithm, [pair, half]), left);
      assert.equal(large.lengthBytes, 4 * 2 ** doublings);
    });

    it('does not stall over ten thousand parts', () => {
      const part = { value: crcOf(algorithm, Buffer.from('part')), lengthBytes: 8 * 1024 ** 2 };
      const begin = performance.now();
      combineCrcs(
        algorithm,
        Array.from({ length: 10_000 }, () => part),
      );
      const tookMs = performance.now() - begin;
      assert.ok(tookMs < 5000, `${tookMs} ms`);
    });
  });
}
