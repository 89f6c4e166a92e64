/** What fast-check draws for the fields of an envelope and an index. */
import * as fc from 'fast-check';

import type {
  ChecksumAlgorithm,
  EnvelopeFields,
  SealedChecksum,
  SealedMetadata,
} from '../../../src/envelope/envelope.ts';
import { segmentSizesBytes } from '../../../src/envelope/sizes.ts';
import { largest } from './envelope-support.ts';

/** The algorithms in the order of their ids, with the length of their digests. */
export const lengthOf: readonly (readonly [ChecksumAlgorithm, number])[] = [
  ['crc32', 4],
  ['crc32c', 4],
  ['crc64nvme', 8],
  ['sha1', 20],
  ['sha256', 32],
  ['md5', 16],
  ['sha512', 64],
  ['xxhash64', 8],
  ['xxhash3', 8],
  ['xxhash128', 16],
];

/** Exactly so many bytes. */
export function bytes(minLength: number, maxLength = minLength): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
}

/** The longest list that may be written: 97 bytes. */
export const longestList: readonly SealedChecksum[] = lengthOf
  .slice(0, 6)
  .map(([algorithm, length]) => ({ algorithm, type: 'full-object', value: Buffer.alloc(length, length) }));

/** A list in the order of ids, as it is read back. */
export const checksumList: fc.Arbitrary<readonly SealedChecksum[]> = fc
  .subarray([...lengthOf])
  .filter((chosen) => chosen.reduce((sum, [, length]) => sum + 2 + length, 1) <= 97)
  .chain((chosen) =>
    fc.tuple(
      ...chosen.map(([algorithm, length]) =>
        fc
          .tuple(fc.constantFrom('full-object' as const, 'composite' as const), bytes(length))
          .map(([type, value]) => ({ algorithm, type, value })),
      ),
    ),
  );

/** Any length that the format allows. */
const anyLength: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, largest),
  fc.maxSafeNat().map((value) => value % (largest + 1)),
);

export const sealedMetadata: fc.Arbitrary<SealedMetadata> = fc
  .record({
    metadataDigest: bytes(32),
    checksums: checksumList,
    payloadBytes: fc.option(anyLength, { nil: undefined }),
    compression: fc.option(
      fc.record(
        { algorithm: fc.constantFrom('gzip' as const, 'zstd' as const), originalBytes: anyLength },
        { noNullPrototype: true },
      ),
      { nil: undefined },
    ),
  })
  .map(({ payloadBytes, compression, ...metadata }) => ({
    ...metadata,
    ...(payloadBytes === undefined ? {} : { payloadBytes }),
    ...(compression === undefined ? {} : { compression }),
  }));

/** Between one and so many bytes of printable ASCII. */
function label(maxLength: number): fc.Arbitrary<string> {
  return bytes(1, maxLength).map((drawn) => String.fromCharCode(...drawn.map((byte) => 0x21 + (byte % 94))));
}

const policyName = fc
  .string({
    unit: fc.constantFrom('a', 'Z', '9', '_', ' ', '\0', '\u007f', 'ä', '€', '\ufeff', '日', '😀'),
    minLength: 1,
    maxLength: 64,
  })
  .filter((name) => Buffer.byteLength(name) <= 64);

/** Every field but salt and commitment, which are those of the object's secrets. */
export const envelopeFields: fc.Arbitrary<Omit<EnvelopeFields, 'salt' | 'commitment'>> = fc
  .record({
    suite: fc.constantFrom('aes-256-gcm' as const, 'chacha20-poly1305' as const),
    segmentSizeBytes: fc.constantFrom(...segmentSizesBytes),
    layout: fc.constantFrom('single' as const, 'multipart' as const),
    policy: policyName,
    kekName: label(64),
    kekVersion: label(128),
    wrappedBucketKey: bytes(1, 1_024),
    wrappedDek: bytes(60),
    floeHeader: bytes(74),
    recovery: fc.option(bytes(88), { nil: undefined }),
  })
  .map(({ floeHeader, recovery, ...fields }) => ({
    ...fields,
    ...(fields.layout === 'single' ? { floeHeader } : {}),
    ...(recovery === undefined ? {} : { recovery }),
  }));
