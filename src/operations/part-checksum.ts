import { timingSafeEqual } from 'node:crypto';

import type { ByteStream } from '../base/byte-stream.ts';
import type { ObjectSecrets } from '../envelope/object-secrets.ts';
import { checksumHeaderName, checksumValueBytes, type ChecksumAlgorithm } from '../s3/checksum.ts';
import { sealedName, summed } from './checksums.ts';
import type { PartContent } from './encrypted-part.ts';

/** A checksum of one attempt of a part that this gateway, or another replica, computed itself. */
export interface PartChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: Uint8Array;
}

/** Which attempt of a part is meant. */
export interface PartAttempt {
  readonly partNumber: number;
  /** 16 hex digits. */
  readonly attemptTag: string;
}

/** The place in this list, counted from 1, is an algorithm's digit in a token: the ids of docs/format, section 8.1. */
const algorithms: readonly ChecksumAlgorithm[] = [
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'SHA1',
  'SHA256',
  'MD5',
  'SHA512',
  'XXHASH64',
  'XXHASH3',
  'XXHASH128',
];
const proofBytes = 8;

/**
 * The token that stands in a part's ETag: one hexadecimal digit for the algorithm, the value, and a proof under the upload's own key.
 * The client carries it to Complete, so that any replica knows the checksum of each part, with nothing stored for it.
 */
export function checksumToken(secrets: ObjectSecrets, attempt: PartAttempt, checksum: PartChecksum): string {
  const digit = algorithms.indexOf(checksum.algorithm) + 1;
  const proof = proofOf(secrets, attempt, { digit, value: checksum.value });
  return `${digit.toString(16)}${hex(checksum.value)}${hex(proof)}`;
}

/** The checksum that a token carries; undefined where it is not one that a gateway made for this attempt of the part. */
export function readChecksumToken(
  secrets: ObjectSecrets,
  attempt: PartAttempt,
  token: string,
): PartChecksum | undefined {
  const digit = Number.parseInt(token.slice(0, 1), 16);
  const algorithm = algorithms[digit - 1];
  if (algorithm === undefined) return undefined;
  const bytes = Buffer.from(token.slice(1), 'hex');
  const valueBytes = checksumValueBytes(algorithm);
  if (bytes.length !== valueBytes + proofBytes) return undefined;
  const value = bytes.subarray(0, valueBytes);
  const isGenuine = timingSafeEqual(bytes.subarray(valueBytes), proofOf(secrets, attempt, { digit, value }));
  return isGenuine ? { algorithm, value } : undefined;
}

/** The digit of the MD5, for which the policy of the object asks, not the client. */
const md5Digit = 6;
const md5Bytes = 16;

/** The token of the MD5 of a part, which goes the same way: the value and its proof. */
export function md5Token(secrets: ObjectSecrets, attempt: PartAttempt, md5: Uint8Array): string {
  return `${hex(md5)}${hex(proofOf(secrets, attempt, { digit: md5Digit, value: md5 }))}`;
}

/** The MD5 that a token carries; undefined where no gateway made it for this attempt of the part. */
export function readMd5Token(secrets: ObjectSecrets, attempt: PartAttempt, token: string): Uint8Array | undefined {
  const bytes = Buffer.from(token, 'hex');
  if (bytes.length !== md5Bytes + proofBytes) return undefined;
  const value = bytes.subarray(0, md5Bytes);
  const proof = proofOf(secrets, attempt, { digit: md5Digit, value });
  return timingSafeEqual(bytes.subarray(md5Bytes), proof) ? value : undefined;
}

/** A part's plaintext whose checksum is computed while it passes. */
export function summedPart(
  source: ByteStream,
  algorithm: ChecksumAlgorithm,
): Pick<PartContent, 'plaintext' | 'checksum'> {
  const { body, checksums } = summed(source, [sealedName(algorithm)]);
  const checksum = (): PartChecksum | undefined => {
    const [sum] = checksums();
    return sum === undefined ? undefined : { algorithm, value: sum.value };
  };
  return { plaintext: body, checksum };
}

/** The content of a part whose MD5 is computed while it passes. */
export function withPartMd5<Content extends Pick<PartContent, 'plaintext'>>(
  content: Content,
): Content & Required<Pick<PartContent, 'plaintext' | 'md5'>> {
  const { body, checksums } = summed(content.plaintext, ['md5']);
  return { ...content, plaintext: body, md5: () => checksums()[0]?.value };
}

/** The header with which S3 tells a part's checksum. */
export function checksumHeader({ algorithm, value }: PartChecksum): Readonly<Record<string, string>> {
  return { [checksumHeaderName(algorithm)]: Buffer.from(value).toString('base64') };
}

/** The element with which S3 tells a part's checksum. */
export function checksumElement({ algorithm, value }: PartChecksum): Readonly<Record<string, string>> {
  return { [`Checksum${algorithm}`]: Buffer.from(value).toString('base64') };
}

function proofOf(
  secrets: ObjectSecrets,
  { partNumber, attemptTag }: PartAttempt,
  { digit, value }: { readonly digit: number; readonly value: Uint8Array },
): Uint8Array {
  return secrets.partChecksumProof({
    partNumber,
    attemptTag: Buffer.from(attemptTag, 'hex'),
    checksum: Buffer.concat([Buffer.of(digit), value]),
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
