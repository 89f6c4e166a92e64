import { randomBytes } from 'node:crypto';
import { checkKeyLength } from '../../s3/address.ts';
import { s3Error } from '../../s3/s3-error.ts';

/**
 * A key as the index stores it.
 * @throws S3Error KeyTooLongError; InvalidArgument for the empty key and for text that has no UTF-8 form.
 */
export function keyBytes(key: string): Buffer {
  // A lone surrogate would become U+FFFD: two keys would be one.
  if (key === '' || !key.isWellFormed())
    throw s3Error('InvalidArgument', 'The object key is empty or not well formed.');
  checkKeyLength(key);
  return Buffer.from(key);
}

/** @throws S3Error NoSuchVersion for any version but the only one, which S3 calls "null". */
export function checkVersion(versionId: string | undefined): void {
  if (versionId === undefined || versionId === 'null') return;
  throw s3Error('NoSuchVersion', undefined, { details: { VersionId: versionId } });
}

/** 32 random hex digits, quoted, with the part count of a multipart object. */
export function newEtag(partCount?: number): string {
  const digits = randomBytes(16).toString('hex');
  return partCount === undefined ? `"${digits}"` : `"${digits}-${partCount}"`;
}

/** An upload id; ids sort in the order in which the uploads began. */
export function newUploadId(nowMs: number): string {
  return nowMs.toString(16).padStart(12, '0') + randomBytes(16).toString('hex');
}

/** @throws S3Error InvalidArgument unless it is a whole number of bytes. */
export function checkLength(lengthBytes: number): void {
  if (Number.isSafeInteger(lengthBytes) && lengthBytes >= 0) return;
  throw s3Error('InvalidArgument', 'The length of a body is a whole number of bytes.');
}

/**
 * ISO 8601 with milliseconds, as listings give times. Whole seconds would make an object look older than the file that
 * it was made from, and `aws s3 sync` would send it again.
 */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** A page size: S3 caps at 1 000 what is larger. */
export function pageSize(asked: number | undefined, argument: string): number {
  if (asked === undefined) return 1000;
  if (Number.isInteger(asked) && asked >= 0) return Math.min(asked, 1000);
  throw s3Error('InvalidArgument', `${argument} must be a number between 0 and 2147483647.`, {
    details: { ArgumentName: argument, ArgumentValue: String(asked) },
  });
}
