import { createHash } from 'node:crypto';

/** The remainders of all bytes, bit by bit. */
function remainders(polynomial: bigint): readonly bigint[] {
  return Array.from({ length: 256 }, (_, byte) => {
    let crc = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
    return crc;
  });
}

/** Reflected CRC byte by byte: slow and plain, so that it shares nothing with what it checks. */
function reflectedCrc(bytes: Uint8Array, table: readonly bigint[], mask: bigint): bigint {
  let crc = mask;
  for (const byte of bytes) crc = (crc >> 8n) ^ (table[Number(crc & 0xffn) ^ byte] ?? 0n);
  return crc ^ mask;
}

function crc(size: 4 | 8, polynomial: bigint): (bytes: Uint8Array) => Buffer {
  const mask = (1n << BigInt(size * 8)) - 1n;
  const table = remainders(polynomial);
  return (bytes) => {
    const value = Buffer.alloc(size);
    if (size === 4) value.writeUInt32BE(Number(reflectedCrc(bytes, table, mask)));
    else value.writeBigUInt64BE(reflectedCrc(bytes, table, mask));
    return value;
  };
}

const digest = (name: string) => (bytes: Uint8Array) => createHash(name).update(bytes).digest();

/**
 * The checksums that S3 knows but those of xxHash, by the last part of their header's name. Polynomials are reflected: CRC-32 of ISO 3309,
 * CRC-32C of RFC 3720 appendix B.4, CRC-64/NVME of the NVM Command Set Specification 1.0 section 5.2.1.3.4.
 */
const checksums = {
  crc32: crc(4, 0xedb88320n),
  crc32c: crc(4, 0x82f63b78n),
  crc64nvme: crc(8, 0x9a6c9329ac4bc9b5n),
  md5: digest('md5'),
  sha1: digest('sha1'),
  sha256: digest('sha256'),
  sha512: digest('sha512'),
} as const satisfies Record<string, (bytes: Uint8Array) => Buffer>;

/** Name of a checksum in lower case, as in `x-amz-checksum-crc32c`. */
export type ChecksumName = keyof typeof checksums;

/** All of them. */
export const checksumNames = [
  'crc32',
  'crc32c',
  'crc64nvme',
  'md5',
  'sha1',
  'sha256',
  'sha512',
] as const satisfies ChecksumName[];

/** Base64, as it stands in a header. */
export function checksumOf(name: ChecksumName, bytes: Uint8Array): string {
  return checksums[name](bytes).toString('base64');
}

/** Base64 of the MD5, for Content-MD5. */
export function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** Lower-case hex, for x-amz-content-sha256. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
