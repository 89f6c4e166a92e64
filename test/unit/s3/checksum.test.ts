import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import {
  checksumHeaderName,
  checksumHeaders,
  createChecksum,
  parseBase64,
  parseChecksumAlgorithm,
  parseChecksumValue,
  type ChecksumAlgorithm,
} from '../../../src/s3/checksum.ts';
import { crc32Functions, portableCrc32Functions } from '../../../src/s3/crc32.ts';

const algorithms: readonly ChecksumAlgorithm[] = [
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'MD5',
  'SHA1',
  'SHA256',
  'SHA512',
  'XXHASH128',
  'XXHASH3',
  'XXHASH64',
];

function checksum(algorithm: ChecksumAlgorithm, pieces: readonly Uint8Array[]): Buffer {
  const running = createChecksum(algorithm);
  for (const piece of pieces) running.update(piece);
  return running.digest();
}

/** The definition, bit by bit over BigInt: polynomial reversed, initial value and final XOR all ones. */
function crcByDefinition(bytes: Uint8Array, polynomial: bigint, width: bigint): bigint {
  const ones = (1n << width) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return crc ^ ones;
}

const polynomials = {
  CRC32: { polynomial: 0xedb88320n, width: 32n },
  CRC32C: { polynomial: 0x82f63b78n, width: 32n },
  CRC64NVME: { polynomial: 0x9a6c9329ac4bc9b5n, width: 64n },
} as const;

describe('createChecksum', () => {
  /** Check values of the CRC RevEng catalogue; those of the hashes from FIPS 180. */
  const known = [
    { algorithm: 'CRC32', text: '123456789', hex: 'cbf43926' },
    { algorithm: 'CRC32C', text: '123456789', hex: 'e3069283' },
    { algorithm: 'CRC64NVME', text: '123456789', hex: 'ae8b14860a799888' },
    { algorithm: 'CRC32', text: '', hex: '00000000' },
    { algorithm: 'CRC32C', text: '', hex: '00000000' },
    { algorithm: 'CRC64NVME', text: '', hex: '0000000000000000' },
    { algorithm: 'SHA1', text: 'abc', hex: 'a9993e364706816aba3e25717850c26c9cd0d89d' },
    { algorithm: 'SHA256', text: 'abc', hex: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' },
  ] as const;
  for (const { algorithm, text, hex } of known) {
    it(`${algorithm} of '${text}'`, () => {
      assert.equal(checksum(algorithm, [Buffer.from(text)]).toString('hex'), hex);
    });
  }

  /** RFC 3720, appendix B.4; printed there with the bytes in the order of the wire, here the other way round. */
  const rfc3720 = [
    { name: '32 zeros', bytes: Buffer.alloc(32), hex: '8a9136aa' },
    { name: '32 ones', bytes: Buffer.alloc(32, 0xff), hex: '62a8ab43' },
    { name: '32 rising', bytes: Buffer.from(Array.from({ length: 32 }, (_, index) => index)), hex: '46dd794e' },
  ];
  for (const { name, bytes, hex } of rfc3720) {
    it(`CRC32C of ${name}`, () => assert.equal(checksum('CRC32C', [bytes]).toString('hex'), hex));
  }

  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    it(`${algorithm} is what its definition says`, () => {
      const { polynomial, width } = polynomials[algorithm];
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
          assert.equal(
            BigInt(`0x${checksum(algorithm, [bytes]).toString('hex')}`),
            crcByDefinition(bytes, polynomial, width),
          );
        }),
      );
    });
  }

  for (const algorithm of algorithms) {
    it(`${algorithm} does not depend on the pieces`, () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 8 }), (pieces) => {
          assert.deepEqual(checksum(algorithm, pieces), checksum(algorithm, [Buffer.concat(pieces)]));
        }),
      );
    });
  }
});

describe('portable CRCs', () => {
  it('are those of the native module, for any piece and start', () => {
    const native = crc32Functions();
    assert.notEqual(native, portableCrc32Functions, 'the native module loads where the tests run');
    for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 4096, 65_537]) {
      const bytes = randomBytes(length);
      for (const start of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
        assert.equal(portableCrc32Functions.crc32(bytes, start), native.crc32(bytes, start));
        assert.equal(portableCrc32Functions.crc32c(bytes, start), native.crc32c(bytes, start));
      }
    }
  });
});

describe('checksum names and values', () => {
  it('map between header and algorithm', () => {
    assert.deepEqual([...checksumHeaders.values()], algorithms);
    for (const algorithm of algorithms) {
      assert.equal(checksumHeaders.get(checksumHeaderName(algorithm)), algorithm);
      assert.equal(parseChecksumAlgorithm(algorithm), algorithm);
    }
    assert.equal(checksumHeaderName('CRC64NVME'), 'x-amz-checksum-crc64nvme');
    assert.equal(parseChecksumAlgorithm('MD4'), undefined);
    assert.equal(parseChecksumAlgorithm(''), undefined);
  });

  it('read base64 of the right length in its canonical form only', () => {
    const value = createHash('sha256').update('x').digest();
    assert.deepEqual(parseChecksumValue('SHA256', value.toString('base64')), value);
    assert.deepEqual(parseChecksumValue('CRC32', 'AAAAAA=='), Buffer.alloc(4));
    for (const wrong of [
      '',
      'AAAAAA',
      'AAAAAB==',
      'AAAAA===',
      'AAAAAAA=',
      'AAAAAAAA',
      '-_AAAA==',
      ' AAAAA==',
      'AAAA\nA==',
    ]) {
      assert.equal(parseChecksumValue('CRC32', wrong), undefined, JSON.stringify(wrong));
    }
    assert.equal(parseChecksumValue('SHA1', value.toString('base64')), undefined);
    assert.deepEqual(parseBase64(value.subarray(0, 16).toString('base64'), 16), value.subarray(0, 16));
  });
});
