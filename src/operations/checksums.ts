import type { ByteStream } from '../base/byte-stream.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import { ownedStream } from '../base/owned-stream.ts';
import { checksumHeaderName, createChecksum, parseChecksumAlgorithm, type ChecksumAlgorithm } from '../s3/checksum.ts';
import type { DecodedPayload, PayloadChecksum } from '../s3/payload.ts';
import { s3Error } from '../s3/s3-error.ts';

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

/** The same as elements of a document: `ChecksumCRC32C`, `ChecksumType` … */
export function checksumElements(checksums: readonly SealedChecksum[]): Readonly<Record<string, string>> {
  const elements: Record<string, string> = {};
  for (const { algorithm, type, value } of checksums) {
    if (type !== 'full-object' || algorithm === 'md5') continue;
    elements[`Checksum${algorithm.toUpperCase()}`] = Buffer.from(value).toString('base64');
    elements['ChecksumType'] = 'FULL_OBJECT';
  }
  return elements;
}

/**
 * The algorithm that `x-amz-checksum-algorithm` asks to have computed.
 * @throws S3Error InvalidRequest for one that is not known.
 */
export function askedChecksum(
  headers: Readonly<Record<string, string | undefined>>,
): (typeof sealedNames)[ChecksumAlgorithm] | undefined {
  const text = headers['x-amz-checksum-algorithm'];
  if (text === undefined) return undefined;
  const algorithm = parseChecksumAlgorithm(text.trim());
  if (algorithm !== undefined) return sealedNames[algorithm];
  throw s3Error(
    'InvalidRequest',
    `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${Object.keys(sealedNames).join(', ')}]`,
  );
}

/** A stream whose checksums are computed while it is read: known once it has ended. */
export interface SummedStream {
  readonly body: ByteStream;
  readonly checksums: () => readonly SealedChecksum[];
}

/** Computes checksums of a whole stream while it passes. */
export function summed(source: ByteStream, algorithms: readonly SealedChecksum['algorithm'][]): SummedStream {
  const running = algorithms.flatMap((algorithm) => {
    const known = parseChecksumAlgorithm(algorithm);
    return known === undefined ? [] : [{ algorithm, checksum: createChecksum(known) }];
  });
  if (running.length === 0) return { body: source, checksums: () => [] };
  let sums: readonly SealedChecksum[] = [];
  const chunks = source[Symbol.asyncIterator]();
  const next = async (): Promise<Uint8Array | undefined> => {
    const step = await chunks.next();
    if (step.done !== true) {
      for (const { checksum } of running) checksum.update(step.value);
      return step.value;
    }
    sums = running.map(({ algorithm, checksum }) => ({ algorithm, type: 'full-object', value: checksum.digest() }));
    return undefined;
  };
  const body = ownedStream(next, async () => {
    await chunks.return?.();
  });
  return { body, checksums: () => sums };
}
