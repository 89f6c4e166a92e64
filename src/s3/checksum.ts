import { createHash } from 'node:crypto';
import { crc32Functions, type Crc32Function } from './crc32.ts';
import { Crc64Nvme } from './crc64nvme.ts';

/** Algorithms of `x-amz-checksum-*`, named as in `x-amz-sdk-checksum-algorithm`. */
export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';

/** A running checksum over pieces. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** The value in S3's byte order (CRCs big-endian); to be called once. */
  digest(): Buffer;
}

/** Length of each algorithm's value in bytes; the keys are all algorithms. */
const valueLengths: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

/** Header (or trailer) name to algorithm, for all that there are. */
export const checksumHeaders: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  (['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const).map((algorithm) => [
    checksumHeaderName(algorithm),
    algorithm,
  ]),
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
  SHA1: () => createHash('sha1'),
  SHA256: () => createHash('sha256'),
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
