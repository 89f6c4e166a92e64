import { checkBucketName, checkKeyLength } from './address.ts';
import { s3Error, type S3Error } from './s3-error.ts';
import type { RequestConditions } from './conditions.ts';

/** An object that `x-amz-copy-source` names. */
export interface CopySourceName {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

/** A range to copy in bytes, both ends included; not yet held against the source's length. */
export interface CopySourceRange {
  readonly first: number;
  readonly last: number;
}

const headerName = 'x-amz-copy-source';
const versionMark = '?versionId=';

/**
 * Reads `x-amz-copy-source`: bucket and key, percent-encoded as a whole or in parts, with or without a slash in front, and
 * `?versionId=` behind. `+` is a space, as S3 reads it; bytes that came unencoded stand for themselves.
 * @throws S3Error InvalidArgument; KeyTooLongError; NotImplemented for the ARN of an access point.
 */
export function parseCopySource(header: string): CopySourceName {
  // Before decoding: an encoded question mark belongs to the key.
  const mark = header.lastIndexOf(versionMark);
  const address = decode(mark < 0 ? header : header.slice(0, mark)).replace(/^\//, '');
  if (address.startsWith('arn:')) throw s3Error('NotImplemented', 'Copies from access points are not implemented.');
  const slash = address.indexOf('/');
  if (slash < 0) throw invalid('Invalid copy source object key');
  const [bucket, key] = [address.slice(0, slash), address.slice(slash + 1)];
  checkBucket(bucket);
  if (key === '' || key.includes('\0')) throw invalid('Invalid copy source object key');
  checkKeyLength(key);
  if (mark < 0) return { bucket, key };
  const versionId = decode(header.slice(mark + versionMark.length));
  if (versionId === '') throw invalid('Version id cannot be the empty string');
  return { bucket, key, versionId };
}

function checkBucket(bucket: string): void {
  try {
    checkBucketName(bucket);
  } catch (cause) {
    throw invalid('Invalid copy source bucket name', cause);
  }
}

/** Header values are bytes as Latin-1 text, as node:http gives them. */
function decode(text: string): string {
  const encoded = text
    .replaceAll('+', ' ')
    .replaceAll(/[\u0080-\u00ff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    throw invalid('Invalid copy source encoding', cause);
  }
}

function invalid(message: string, cause?: unknown): S3Error {
  return s3Error('InvalidArgument', message, { cause, details: { ArgumentName: headerName } });
}

/**
 * Reads `x-amz-copy-source-range`, which knows one form only; undefined where there is none.
 * @throws S3Error InvalidArgument.
 */
export function parseCopySourceRange(header: string | undefined): CopySourceRange | undefined {
  if (header === undefined) return undefined;
  const [, from, to] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header.trim()) ?? [];
  const range = { first: Number(from), last: Number(to) };
  if (from !== undefined && to !== undefined && range.first <= range.last) return range;
  throw s3Error(
    'InvalidArgument',
    'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based ' +
      'offsets of the first and last bytes to copy',
    { details: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header.slice(0, 100) } },
  );
}

/**
 * Unlike a range that is read, one that is copied has to lie within its source.
 * @throws S3Error InvalidArgument.
 */
export function checkCopySourceRange(range: CopySourceRange, sourceBytes: number): void {
  if (range.last < sourceBytes) return;
  throw s3Error('InvalidArgument', `Range specified is not valid for source object of size: ${sourceBytes}`, {
    details: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: `bytes=${range.first}-${range.last}` },
  });
}

/** Conditions that a copy puts to its source, in the form of conditions of a read; `headers` has lower-case names. */
export function copySourceConditions(headers: Readonly<Record<string, string | undefined>>): RequestConditions {
  const ifMatch = headers[`${headerName}-if-match`];
  const ifNoneMatch = headers[`${headerName}-if-none-match`];
  const ifModifiedSince = headers[`${headerName}-if-modified-since`];
  const ifUnmodifiedSince = headers[`${headerName}-if-unmodified-since`];
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    ...(ifModifiedSince === undefined ? {} : { ifModifiedSince }),
    ...(ifUnmodifiedSince === undefined ? {} : { ifUnmodifiedSince }),
  };
}

/**
 * `x-amz-metadata-directive` or `x-amz-tagging-directive`; COPY where it is missing.
 * @throws S3Error InvalidArgument.
 */
export function copyDirective(
  headers: Readonly<Record<string, string | undefined>>,
  kind: 'metadata' | 'tagging',
): 'COPY' | 'REPLACE' {
  const value = headers[`x-amz-${kind}-directive`] ?? 'COPY';
  if (value === 'COPY' || value === 'REPLACE') return value;
  throw s3Error('InvalidArgument', `Unknown ${kind} directive.`, {
    details: { ArgumentName: `x-amz-${kind}-directive`, ArgumentValue: value.slice(0, 100) },
  });
}
