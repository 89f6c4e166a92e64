import { s3Error, type S3Error } from './s3-error.ts';

/** What a Range header asks for: `first-last`, `first-` or the last `suffix` bytes. Positions and counts in bytes. */
export type RequestedRange = { readonly first: number; readonly last?: number } | { readonly suffix: number };

/** A range within an object: both ends included, `0 <= first <= last < size`. */
export interface ResolvedRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a Range header. Undefined where there is none, and where S3 ignores it and answers 200 with the whole object:
 * another unit, several ranges, `last` before `first`, anything that RFC 9110 section 14.1 does not allow.
 */
export function parseRange(header: string | undefined): RequestedRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') return to === '' ? undefined : { suffix: position(to) };
  if (to === '') return { first: position(from) };
  const range = { first: position(from), last: position(to) };
  return range.last < range.first ? undefined : range;
}

/** Larger numbers than JavaScript has exactly lie beyond every object anyway. */
function position(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** The Range header that asks for this range. */
export function rangeHeader(range: RequestedRange): string {
  if ('suffix' in range) return `bytes=-${range.suffix}`;
  return `bytes=${range.first}-${range.last ?? ''}`;
}

/**
 * Fits a range to an object of `sizeBytes`; an end beyond the object is cut.
 * @throws S3Error InvalidRange (416) where no byte of the object lies in it, so always for an empty object.
 */
export function resolveRange(range: RequestedRange, sizeBytes: number): ResolvedRange {
  const resolved =
    'suffix' in range
      ? { first: Math.max(0, sizeBytes - range.suffix), last: sizeBytes - 1 }
      : { first: range.first, last: Math.min(range.last ?? sizeBytes - 1, sizeBytes - 1) };
  if (resolved.first > resolved.last) {
    throw s3Error('InvalidRange', undefined, {
      details: { RangeRequested: rangeHeader(range), ActualObjectSize: String(sizeBytes) },
      headers: { 'content-range': `bytes */${sizeBytes}` },
    });
  }
  return resolved;
}

/** The answer to a part number beyond the last part. */
export function noSuchPart(partNumber: number, partCount: number): S3Error {
  return s3Error('InvalidPartNumber', undefined, {
    details: { ActualPartCount: String(partCount), PartNumberRequested: String(partNumber) },
  });
}

/** The Content-Range header of a 206 answer. */
export function contentRange(first: number, last: number, sizeBytes: number): string {
  return `bytes ${first}-${last}/${sizeBytes}`;
}
