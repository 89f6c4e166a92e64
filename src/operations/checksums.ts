import type { SealedChecksum } from '../envelope/checksums.ts';
import { checksumHeaderName, type ChecksumAlgorithm } from '../s3/checksum.ts';
import type { DecodedPayload, PayloadChecksum } from '../s3/payload.ts';

const sealedNames = {
  CRC32: 'crc32',
  CRC32C: 'crc32c',
  CRC64NVME: 'crc64nvme',
  SHA1: 'sha1',
  SHA256: 'sha256',
} as const satisfies Record<ChecksumAlgorithm, SealedChecksum['algorithm']>;

/** Verified checksums of a whole object in the form that is sealed with it. */
export function sealedChecksums(checksums: readonly PayloadChecksum[]): readonly SealedChecksum[] {
  return checksums.map(({ algorithm, value }) => ({ algorithm: sealedNames[algorithm], type: 'full-object', value }));
}

/** The `x-amz-checksum-*` headers with which S3 confirms what it verified. */
export function checksumHeaders(payload: DecodedPayload): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const { algorithm, value } of payload.checksums()) {
    headers[checksumHeaderName(algorithm)] = value.toString('base64');
  }
  return headers;
}

/** The same for an answer to GET or HEAD with `x-amz-checksum-mode: ENABLED`. */
export function sealedChecksumHeaders(checksums: readonly SealedChecksum[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const { algorithm, type, value } of checksums) {
    if (type !== 'full-object' || algorithm === 'md5') continue;
    headers[`x-amz-checksum-${algorithm}`] = Buffer.from(value).toString('base64');
    headers['x-amz-checksum-type'] = 'FULL_OBJECT';
  }
  return headers;
}
