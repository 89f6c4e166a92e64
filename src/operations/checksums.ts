import type { ByteStream } from '../base/byte-stream.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import { ownedStream } from '../base/owned-stream.ts';
import {
  checksumHeaderName,
  createChecksum,
  parseChecksumAlgorithm,
  type Checksum,
  type ChecksumAlgorithm,
} from '../s3/checksum.ts';
import type { DecodedPayload, PayloadChecksum } from '../s3/payload.ts';

const sealedNames = {
  CRC32: 'crc32',
  CRC32C: 'crc32c',
  CRC64NVME: 'crc64nvme',
  MD5: 'md5',
  SHA1: 'sha1',
  SHA256: 'sha256',
  SHA512: 'sha512',
  XXHASH128: 'xxhash128',
  XXHASH3: 'xxhash3',
  XXHASH64: 'xxhash64',
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

/** The same for PutObject, which also tells that they are of the whole object. */
export function objectChecksumHeaders(payload: DecodedPayload): Readonly<Record<string, string>> {
  const headers = checksumHeaders(payload);
  return Object.keys(headers).length === 0 ? headers : { ...headers, 'x-amz-checksum-type': 'FULL_OBJECT' };
}

/** The checksums of an object, and the number of parts that a composite one is over. */
export interface ObjectChecksums {
  readonly checksums: readonly SealedChecksum[];
  readonly partCount: number;
}

/** The same for an answer to GET or HEAD with `x-amz-checksum-mode: ENABLED`. */
export function sealedChecksumHeaders(object: ObjectChecksums): Readonly<Record<string, string>> {
  return shown(object, 'x-amz-checksum-type', (algorithm) => `x-amz-checksum-${algorithm}`);
}

/** The same as elements of a document: `ChecksumCRC32C`, `ChecksumType` … */
export function checksumElements(object: ObjectChecksums): Readonly<Record<string, string>> {
  return shown(object, 'ChecksumType', (algorithm) => `Checksum${algorithm.toUpperCase()}`);
}

/** The same without the number of parts behind a composite value: GetObjectAttributes alone leaves it out. */
export function plainChecksumElements(object: ObjectChecksums): Readonly<Record<string, string>> {
  const elements = Object.entries(checksumElements(object));
  return Object.fromEntries(elements.map(([name, value]) => [name, value.replace(/-\d+$/, '')]));
}

function shown(
  { checksums, partCount }: ObjectChecksums,
  typeName: string,
  nameOf: (algorithm: SealedChecksum['algorithm']) => string,
): Readonly<Record<string, string>> {
  const named: Record<string, string> = {};
  for (const { algorithm, type, value } of checksums) {
    // Beside another one it is there for the ETag: S3 shows one checksum of an object.
    if (algorithm === 'md5' && checksums.length > 1) continue;
    const base64 = Buffer.from(value).toString('base64');
    named[nameOf(algorithm)] = type === 'composite' ? `${base64}-${partCount}` : base64;
    named[typeName] = type === 'composite' ? 'COMPOSITE' : 'FULL_OBJECT';
  }
  return named;
}

/** An algorithm's name as it is sealed. */
export function sealedName(algorithm: ChecksumAlgorithm): (typeof sealedNames)[ChecksumAlgorithm] {
  return sealedNames[algorithm];
}

/** A list with the MD5 for the ETag, unless the client gave its MD5 as the checksum. */
export function withMd5(
  checksums: readonly SealedChecksum[],
  md5: SealedChecksum | undefined,
): readonly SealedChecksum[] {
  const isThere = checksums.some(({ algorithm }) => algorithm === 'md5');
  return md5 === undefined || isThere ? checksums : [...checksums, md5];
}

/** Starts a checksum of those that are sealed. */
function startChecksum(algorithm: SealedChecksum['algorithm']): Checksum {
  const known = parseChecksumAlgorithm(algorithm);
  if (known === undefined) throw new RangeError(`checksum ${algorithm} cannot be computed`);
  return createChecksum(known);
}

/** A stream whose checksums are computed while it is read: known once it has ended. */
export interface SummedStream {
  readonly body: ByteStream;
  readonly checksums: () => readonly SealedChecksum[];
}

/** Computes checksums of a whole stream while it passes. */
export function summed(source: ByteStream, algorithms: readonly SealedChecksum['algorithm'][]): SummedStream {
  const running = algorithms.map((algorithm) => ({ algorithm, checksum: startChecksum(algorithm) }));
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
