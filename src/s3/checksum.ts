import { createHash } from 'node:crypto';
import { crc32Functions, type Crc32Function } from './crc32.ts';
import { Crc64Nvme } from './crc64nvme.ts';
import { Xxhash } from './xxhash.ts';

/** Length of each algorithm's value in bytes; the keys are all algorithms, in the order in which S3 lists them. */
const valueLengths = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  MD5: 16,
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
  XXHASH128: 16,
  XXHASH3: 8,
  XXHASH64: 8,
} as const;

/** Algorithms of `x-amz-checksum-*`, named as in `x-amz-sdk-checksum-algorithm`. */
export type ChecksumAlgorithm = keyof typeof valueLengths;

/** All that there are. */
export const checksumAlgorithms: readonly ChecksumAlgorithm[] = [
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

/** A running checksum over pieces. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** The value in S3's byte order (CRCs big-endian); to be called once. */
  digest(): Buffer;
}

/** Header (or trailer) name to algorithm, for all that there are. */
export const checksumHeaders: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  checksumAlgorithms.map((algorithm) => [checksumHeaderName(algorithm), algorithm]),
);

/** `x-amz-checksum-crc32c` … */
export function checksumHeaderName(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** The algorithm that a header value such as `CRC32` names, or undefined. */
export function parseChecksumAlgorithm(text: string): ChecksumAlgorithm | undefined {
  return checksumHeaders.get(`x-amz-checksum-${text.toLowerCase()}`);
}

const factories: Readonly<Record<ChecksumAlgorithm, () => Checksum>> = {
  CRC32: () => crcOf(crc32Functions().crc32),
  CRC32C: () => crcOf(crc32Functions().crc32c),
  CRC64NVME: () => new Crc64Nvme(),
  MD5: () => createHash('md5'),
  SHA1: () => createHash('sha1'),
  SHA256: () => createHash('sha256'),
  SHA512: () => createHash('sha512'),
  XXHASH128: () => new Xxhash('XXHASH128'),
  XXHASH3: () => new Xxhash('XXHASH3'),
  XXHASH64: () => new Xxhash('XXHASH64'),
};

/** Starts a checksum. */
export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  return factories[algorithm]();
}

function crcOf(advance: Crc32Function): Checksum {
  let crc = 0;
  return {
    update: (bytes) => {
      crc = advance(bytes, crc);
    },
    digest: () => {
      const digest = Buffer.allocUnsafe(4);
      digest.writeUInt32BE(crc);
      return digest;
    },
  };
}

/** Length of an algorithm's value in bytes. */
export function checksumValueBytes(algorithm: ChecksumAlgorithm): number {
  return valueLengths[algorithm];
}

/** The bytes of a checksum's value in base64, or undefined where it is not canonical base64 of the algorithm's length. */
export function parseChecksumValue(algorithm: ChecksumAlgorithm, base64: string): Buffer | undefined {
  return parseBase64(base64, valueLengths[algorithm]);
}

/** The `length` bytes that `base64` stands for, or undefined where it is anything but their one canonical form. */
export function parseBase64(base64: string, length: number): Buffer | undefined {
  if (base64.length !== Math.ceil(length / 3) * 4) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length === length && bytes.toString('base64') === base64 ? bytes : undefined;
}
