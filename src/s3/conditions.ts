import { parseEntityTags } from './etag.ts';

/** Conditional headers of RFC 9110 section 13.1, as the client wrote them. */
export interface RequestConditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
}

/** The state that conditions are about: ETag as given to whoever wrote them, time in milliseconds since the epoch. */
export interface CurrentObject {
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** Error code of a condition that does not hold. */
export type ConditionFailure = 'NotModified' | 'PreconditionFailed' | 'NoSuchKey';

/** The four conditions of a request; `headers` has lower-case names. */
export function requestConditions(headers: Readonly<Record<string, string | undefined>>): RequestConditions {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  const ifModifiedSince = headers['if-modified-since'];
  const ifUnmodifiedSince = headers['if-unmodified-since'];
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    ...(ifModifiedSince === undefined ? {} : { ifModifiedSince }),
    ...(ifUnmodifiedSince === undefined ? {} : { ifUnmodifiedSince }),
  };
}

/**
 * Evaluates conditions in the order of RFC 9110 section 13.2.2: undefined where all hold. `current` is undefined where
 * there is no object. `If-Match` on a write without an object is NoSuchKey, as S3 answers it.
 */
export function evaluateConditions(
  conditions: RequestConditions,
  current: CurrentObject | undefined,
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
): ConditionFailure | undefined {
  const isRead = method === 'GET' || method === 'HEAD';
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined) {
    if (current === undefined) return method === 'DELETE' ? 'PreconditionFailed' : 'NoSuchKey';
    if (!matches(ifMatch, current.etag, 'strong')) return 'PreconditionFailed';
  } else if (modifiedSince(conditions.ifUnmodifiedSince, current) === true) {
    return 'PreconditionFailed';
  }
  if (ifNoneMatch !== undefined) {
    if (current !== undefined && matches(ifNoneMatch, current.etag, 'weak')) {
      return isRead ? 'NotModified' : 'PreconditionFailed';
    }
  } else if (isRead && modifiedSince(conditions.ifModifiedSince, current) === false) {
    return 'NotModified';
  }
  return undefined;
}

/**
 * Whether a range may be given: without If-Range, or with the validator of this very object (RFC 9110 section 13.1.5). A
 * client that goes on with a download would else put together the halves of two objects.
 * @param current `lastModified` as the client was shown it, an HTTP date.
 */
export function ifRangeHolds(
  header: string | undefined,
  current: { readonly etag: string; readonly lastModified: string },
): boolean {
  if (header === undefined) return true;
  const validator = header.trim();
  if (/^(?:W\/)?"/i.test(validator)) return matches(validator, current.etag, 'strong');
  const time = parseHttpDate(validator);
  return time !== undefined && time === parseHttpDate(current.lastModified);
}

/** Strong comparison for If-Match, weak for If-None-Match (RFC 9110 section 8.8.3.2). */
function matches(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  const wanted = parseEntityTags(header);
  const [current] = parseEntityTags(etag);
  if (wanted === '*') return true;
  if (current === undefined || typeof current === 'string') return false;
  if (comparison === 'strong' && current.weak) return false;
  return wanted.some((entry) => entry.tag === current.tag && (comparison === 'weak' || !entry.weak));
}

/** Undefined where the header is missing or no date, which leaves the condition out, or where there is no object. */
function modifiedSince(header: string | undefined, current: CurrentObject | undefined): boolean | undefined {
  const limitMs = header === undefined ? undefined : parseHttpDate(header);
  if (limitMs === undefined || current === undefined) return undefined;
  // The header has whole seconds: compare what the client was shown as Last-Modified.
  return Math.floor(current.lastModifiedMs / 1000) * 1000 > limitMs;
}

const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|[+-]\d{4})$/;
const rfc850Date = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2} GMT)$/;
const asctimeDate = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/;
const isoDate = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch of an HTTP date (RFC 9110 section 5.6.7) or, as S3 takes it too, an ISO 8601 time. */
export function parseHttpDate(text: string): number | undefined {
  const trimmed = text.trim();
  const normal = trimmed
    .replace(rfc850Date, (_, day: string, month: string, year: string, time: string) => {
      // Two digits: no object of S3 is older than this century, but a client may well send the epoch.
      return `${day} ${month} ${year >= '70' ? '19' : '20'}${year} ${time}`;
    })
    .replace(asctimeDate, '$2 $1 $4 $3 GMT');
  if (normal === trimmed && !imfFixdate.test(trimmed) && !isoDate.test(trimmed)) return undefined;
  const timeMs = Date.parse(normal);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
