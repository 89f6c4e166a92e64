import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, it, mock } from 'node:test';

import * as fc from 'fast-check';

import { metadataDigest } from '../../../src/envelope/envelope.ts';
import {
  decodeSealedMetadata,
  encodeSealedMetadata,
  maxSealedMetadataBytes,
  minSealedMetadataBytes,
  payloadSize,
  plaintextSizeOrThrow,
  verifyMetadataDigest,
  type SealedMetadata,
} from '../../../src/envelope/sealed-metadata.ts';
import { storedSize } from '../../../src/envelope/sizes.ts';
import { needs } from '../../support/gaps.ts';
import { longestList, sealedMetadata } from './arbitraries.ts';
import { envelopeError, flipBit, largest, payload } from './envelope-support.ts';

const malformed = envelopeError('malformed');
const digest = payload(32, 'digest');

/** Sealed metadata from what stands behind the digest. */
function decode(hex: string): SealedMetadata {
  return decodeSealedMetadata(Buffer.concat([digest, Buffer.from(hex.replaceAll(' ', ''), 'hex')]));
}

afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
});

describe('sealed metadata', () => {
  it('is what the document says', () => {
    const encoded = encodeSealedMetadata({
      metadataDigest: digest,
      checksums: [{ algorithm: 'crc32', type: 'composite', value: Buffer.from('01020304', 'hex') }],
      payloadBytes: 258,
      compression: { algorithm: 'zstd', originalBytes: largest },
    });
    const behind = '01 0101 01020304 01 0000000000000102 02 0000320000000000'.replaceAll(' ', '');
    assert.equal(Buffer.from(encoded).toString('hex'), digest.toString('hex') + behind);
    const least = encodeSealedMetadata({ metadataDigest: digest, checksums: [] });
    assert.equal(Buffer.from(least).toString('hex'), `${digest.toString('hex')}000000`);
  });

  it('reads back what was written, within its bounds', () => {
    fc.assert(
      fc.property(sealedMetadata, (metadata) => {
        const encoded = encodeSealedMetadata(metadata);
        assert.ok(encoded.length >= minSealedMetadataBytes && encoded.length <= maxSealedMetadataBytes);
        const read = decodeSealedMetadata(encoded);
        assert.deepEqual(encodeSealedMetadata(read), encoded);
        assert.equal(read.payloadBytes, metadata.payloadBytes);
        assert.deepEqual(read.compression, metadata.compression);
        assert.deepEqual(read.metadataDigest, metadata.metadataDigest);
      }),
    );
    const longest = encodeSealedMetadata({
      metadataDigest: digest,
      checksums: longestList,
      payloadBytes: largest,
      compression: { algorithm: 'gzip', originalBytes: largest },
    });
    assert.equal(longest.length, maxSealedMetadataBytes);
  });

  it('is refused with a flag or a length that it cannot have (F1-META-1, F1-SIZE-3)', () => {
    assert.equal(decode('00 01 0000320000000000 00').payloadBytes, largest);
    for (const flag of ['02', 'ff']) assert.throws(() => decode(`00 ${flag} 00`), malformed);
    assert.throws(() => decode('00 01 0000320000000001 00'), malformed);
    assert.throws(() => decode('00 01 ffffffffffffffff 00'), malformed);
    assert.throws(() => decode('00 00 01 0000320000000001'), malformed);
  });

  it('is refused as not supported with an unknown compression or checksum (F1-META-1)', () => {
    const unsupported = envelopeError('unsupported');
    assert.throws(() => decode('00 00 03 0000000000000001'), unsupported);
    assert.throws(() => decode('00 00 ff'), unsupported);
    assert.throws(() => decode('01 0b 00 01020304 00 00'), unsupported);
  });

  it('is refused with a byte too many or too few, anywhere (F1-META-1)', () => {
    fc.assert(
      fc.property(sealedMetadata, (metadata) => {
        const encoded = encodeSealedMetadata(metadata);
        assert.throws(() => decodeSealedMetadata(Buffer.concat([encoded, Buffer.of(0)])), malformed);
        assert.throws(() => decodeSealedMetadata(encoded.subarray(0, -1)), malformed);
      }),
    );
    const whole = Buffer.from(`${digest.toString('hex')}01010101020304010000000000000102010000000000000003`, 'hex');
    decodeSealedMetadata(whole);
    for (let length = 0; length < whole.length; length += 1) {
      assert.throws(() => decodeSealedMetadata(whole.subarray(0, length)), malformed);
    }
  });

  it('of any bytes at all is read and written back as it was, or refused (F1-META-1)', () => {
    const few = fc.array(fc.oneof(fc.nat(7), fc.nat(255)), { maxLength: 30 });
    fc.assert(
      fc.property(few, (behind) => {
        const bytes = Buffer.concat([digest, Buffer.from(behind)]);
        let read: SealedMetadata;
        try {
          read = decodeSealedMetadata(bytes);
        } catch (error) {
          return envelopeError('malformed', 'unsupported')(error);
        }
        return Buffer.compare(encodeSealedMetadata(read), bytes) === 0;
      }),
      { numRuns: 1_000 },
    );
  });

  it('is not written with values that the format cannot hold', () => {
    const metadata = { metadataDigest: digest, checksums: [] };
    for (const length of [0, 31, 33]) {
      assert.throws(() => encodeSealedMetadata({ ...metadata, metadataDigest: payload(length) }), RangeError);
    }
    for (const length of [-1, 0.5, largest + 1, Number.NaN]) {
      assert.throws(() => encodeSealedMetadata({ ...metadata, payloadBytes: length }), RangeError);
      const compression = { algorithm: 'gzip', originalBytes: length } as const;
      assert.throws(() => encodeSealedMetadata({ ...metadata, compression }), RangeError);
    }
  });
});

describe('verifyMetadataDigest', () => {
  const headers = { 'content-type': 'text/plain', 'x-amz-meta-who': 'me' };

  it('refuses metadata that was changed, added or taken away (F1-META-2)', () => {
    const sealed = { metadataDigest: metadataDigest(headers), checksums: [] };
    verifyMetadataDigest(sealed, headers);
    const failed = envelopeError('authentication_failed');
    const changed: readonly Record<string, string>[] = [
      { ...headers, 'x-amz-meta-who': 'you' },
      { ...headers, 'x-amz-meta-more': '' },
      { ...headers, 'content-type': 'text/html' },
      { 'content-type': 'text/plain' },
      { 'x-amz-meta-who': 'me' },
      {},
    ];
    for (const wrong of changed) assert.throws(() => verifyMetadataDigest(sealed, wrong), failed);
    for (let bit = 0; bit < 256; bit += 1) {
      const wrong = { ...sealed, metadataDigest: flipBit(sealed.metadataDigest, bit) };
      assert.throws(() => verifyMetadataDigest(wrong, headers), failed);
    }
  });

  it('compares the digest in constant time (F1-META-2)', needs('liveBuiltins'), () => {
    const sealed = { metadataDigest: metadataDigest(headers), checksums: [] };
    const failed = envelopeError('authentication_failed');
    const compared = mock.method(crypto, 'timingSafeEqual');
    syncBuiltinESMExports();
    for (let bit = 0; bit < 256; bit += 1) {
      const wrong = { ...sealed, metadataDigest: flipBit(sealed.metadataDigest, bit) };
      assert.throws(() => verifyMetadataDigest(wrong, headers), failed);
    }
    assert.equal(compared.mock.callCount(), 256);
  });
});

describe('payloadSize', () => {
  const metadata = { metadataDigest: digest, checksums: [] };

  it('follows from the stored size, and is the sealed one where that is given (F1-META-3)', () => {
    for (const length of [0, 1, 65_536, largest]) {
      assert.equal(payloadSize(storedSize(length), metadata), length);
      assert.equal(payloadSize(storedSize(length), { ...metadata, payloadBytes: length }), length);
      for (const other of [length - 1, length + 1]) {
        const sealed = { ...metadata, payloadBytes: other };
        assert.throws(() => payloadSize(storedSize(length), sealed), envelopeError('size_mismatch'));
      }
    }
  });

  it('is not that of a size no object has (F1-SIZE-2)', () => {
    for (const stored of [0, 415, 65_953, storedSize(largest) + 1, Number.NaN]) {
      assert.throws(() => payloadSize(stored, metadata), envelopeError('not_format_1'));
      assert.throws(() => plaintextSizeOrThrow(stored), envelopeError('not_format_1'));
    }
  });
});
