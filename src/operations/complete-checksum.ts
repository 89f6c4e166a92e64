import { createHash } from 'node:crypto';

import type { SealedChecksum } from '../envelope/envelope.ts';
import { checksumHeaders, createChecksum, parseChecksumValue, type ChecksumAlgorithm } from '../s3/checksum.ts';
import { combineCrcs, isCrc } from '../s3/crc-combine.ts';
import type { RequestedPart } from '../s3/request-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { UploadChecksum } from '../uploads/upload-ledger.ts';
import { sealedName } from './checksums.ts';
import type { PartChecksum } from './part-checksum.ts';
import { checksumMismatch, requestedChecksumType } from './upload-checksum.ts';

/** A part that a Complete names, with what the gateway knows of it. */
export interface NamedPart {
  readonly requested: RequestedPart;
  readonly lengthBytes: number;
  /** Undefined where the client's ETag does not say it: one that it did not get from UploadPart. */
  readonly checksum: PartChecksum | undefined;
  /** Likewise; of uploads under a policy that wants it. */
  readonly md5?: Uint8Array | undefined;
}

type RequestHeaders = Readonly<Record<string, string | undefined>>;

/**
 * The checksum of the object that a Complete makes, from those of its parts. Only what a gateway computed itself goes
 * into it: undefined where the checksum of a part is not known, and where the upload was created without one.
 * @throws S3Error InvalidRequest, InvalidPart, InvalidArgument, BadDigest where what the client says of parts or object
 * does not hold.
 */
export function completedChecksum(
  headers: RequestHeaders,
  upload: UploadChecksum | undefined,
  parts: readonly NamedPart[],
): SealedChecksum | undefined {
  checkType(headers, upload);
  if (upload === undefined) return undefined;
  for (const part of parts) checkPart(part, upload);
  const value = valueOf(upload, parts);
  checkWhole(headers, { upload, value, partCount: parts.length });
  if (value === undefined) return undefined;
  const type = upload.type === 'COMPOSITE' ? 'composite' : 'full-object';
  return { algorithm: sealedName(upload.algorithm), type, value };
}

/** S3's own ETag of a multipart object without its part count; undefined where the MD5 of a part is not known. */
export function compositeMd5(parts: readonly NamedPart[]): SealedChecksum | undefined {
  const composite = createHash('md5');
  for (const { md5 } of parts) {
    if (md5 === undefined) return undefined;
    composite.update(md5);
  }
  return { algorithm: 'md5', type: 'composite', value: composite.digest() };
}

/** @throws S3Error InvalidRequest where the request gives more than one checksum of the object. */
export function checkSingleChecksum(headers: RequestHeaders): void {
  if (wholeChecksums(headers).length <= 1) return;
  throw s3Error(
    'InvalidRequest',
    'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
  );
}

function wholeChecksums(headers: RequestHeaders): readonly (readonly [name: string, algorithm: ChecksumAlgorithm])[] {
  return [...checksumHeaders].filter(([name]) => headers[name] !== undefined);
}

/** @throws S3Error InvalidRequest where `x-amz-mp-object-size` is another than the parts add up to. */
export function checkObjectSize(headers: RequestHeaders, sizeBytes: number): void {
  const text = headers['x-amz-mp-object-size']?.trim();
  if (text === undefined) return;
  if (/^-\d{1,15}$/.test(text)) {
    throw s3Error('InvalidRequest', `Value for x-amz-mp-object-size header is less than zero: '${text}'`);
  }
  if (!/^\d{1,15}$/.test(text)) {
    throw s3Error('InvalidRequest', `Value for x-amz-mp-object-size header is invalid: '${text.slice(0, 100)}'`);
  }
  if (Number(text) === sizeBytes) return;
  throw s3Error(
    'InvalidRequest',
    `The provided 'x-amz-mp-object-size' header value ${text} does not match what was computed: ${sizeBytes}`,
  );
}

function checkType(headers: RequestHeaders, upload: UploadChecksum | undefined): void {
  const asked = requestedChecksumType(headers);
  if (asked === undefined || asked === upload?.type) return;
  throw s3Error(
    'InvalidRequest',
    `The upload was created using the ${upload?.type ?? 'null'} checksum mode. The complete request must use the same checksum mode.`,
  );
}

function checkPart({ requested, checksum }: NamedPart, upload: UploadChecksum): void {
  const { partNumber } = requested;
  const given = givenChecksum(requested);
  if (given === undefined) {
    if (upload.type === 'FULL_OBJECT') return;
    throw s3Error(
      'InvalidRequest',
      `The upload was created using a ${upload.algorithm.toLowerCase()} checksum. The complete request must include the ` +
        `checksum for each part. It was missing for part ${partNumber} in the request.`,
    );
  }
  if (given.algorithm !== upload.algorithm) {
    const name = given.algorithm.toLowerCase();
    throw s3Error('BadDigest', `The ${name} you specified for part ${partNumber} did not match what we received.`);
  }
  if (checksum === undefined || given.value.equals(checksum.value)) return;
  throw s3Error('InvalidPart', undefined, { details: { PartNumber: String(partNumber), ETag: requested.etag } });
}

/** By the name of the element: `ChecksumCRC32C` as `x-amz-checksum-crc32c`. */
function givenChecksum({ checksums }: RequestedPart): { algorithm: ChecksumAlgorithm; value: Buffer } | undefined {
  const [first, second] = checksums;
  if (first === undefined) return undefined;
  const [name, text] = first;
  const algorithm = checksumHeaders.get(`x-amz-checksum-${name.slice('Checksum'.length).toLowerCase()}`);
  const value = algorithm === undefined ? undefined : parseChecksumValue(algorithm, text);
  if (algorithm !== undefined && value !== undefined && second === undefined) return { algorithm, value };
  throw s3Error('InvalidArgument', 'Invalid Base64 or multiple checksums present in request', {
    details: { ArgumentName: 'Checksum', ArgumentValue: text.slice(0, 100) },
  });
}

function valueOf({ algorithm, type }: UploadChecksum, parts: readonly NamedPart[]): Buffer | undefined {
  const pieces: { readonly value: Uint8Array; readonly lengthBytes: number }[] = [];
  for (const { checksum, lengthBytes } of parts) {
    if (checksum?.algorithm !== algorithm) return undefined;
    pieces.push({ value: checksum.value, lengthBytes });
  }
  if (type === 'COMPOSITE') {
    const composite = createChecksum(algorithm);
    for (const { value } of pieces) composite.update(value);
    return composite.digest();
  }
  return isCrc(algorithm) ? combineCrcs(algorithm, pieces) : undefined;
}

interface WholeChecksum {
  readonly upload: UploadChecksum;
  readonly value: Buffer | undefined;
  readonly partCount: number;
}

/** Holds the object's checksum against the one that the request's header gives of it. */
function checkWhole(headers: RequestHeaders, { upload, value, partCount }: WholeChecksum): void {
  checkSingleChecksum(headers);
  const [given] = wholeChecksums(headers);
  if (given === undefined) return;
  const [name, algorithm] = given;
  if (algorithm !== upload.algorithm) throw checksumMismatch(upload.algorithm, algorithm);
  const { base64, count } = splitComposite(headers[name] ?? '', upload.type);
  const expected = parseChecksumValue(algorithm, base64);
  if (expected === undefined) throw s3Error('InvalidRequest', `Value for ${name} header is invalid.`);
  if (value === undefined) {
    throw s3Error(
      'InvalidRequest',
      `The object's ${algorithm} cannot be verified: the checksum of a part is not known, because its ETag is not the ` +
        'one that UploadPart answered.',
    );
  }
  if (value.equals(expected) && (count === undefined || count === String(partCount))) return;
  throw s3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
}

/** A composite checksum may have its part count behind it: `<base64>-<parts>`. */
function splitComposite(
  text: string,
  type: UploadChecksum['type'],
): { readonly base64: string; readonly count: string | undefined } {
  const [, base64, count] = /^([^-]*)-(\d{1,5})$/.exec(text.trim()) ?? [];
  if (type === 'COMPOSITE' && base64 !== undefined) return { base64, count };
  return { base64: text.trim(), count: undefined };
}
