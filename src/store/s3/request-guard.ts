import { validateHeaderName, validateHeaderValue } from 'node:http';
import { s3Error } from '../../s3/s3-error.ts';

/**
 * What never goes to the backend from a caller's headers: hop-by-hop headers (RFC 9110 section 7.6.1), `Expect`, and what
 * the store sets by itself.
 */
const dropped = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
  'content-md5',
  'authorization',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-security-token',
]);

/**
 * A caller's headers as they may be sent: lower-case names, without those of the connection.
 *
 * A pool of undici loses a connection slot for good with each request that it refuses, so everything that it refuses is
 * refused here first.
 * @throws S3Error InvalidArgument for names and values that HTTP does not allow.
 */
export function outgoingHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const outgoing: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const lowerName = name.toLowerCase();
    if (dropped.has(lowerName)) continue;
    const value = headers[name];
    if (value === undefined || lowerName in outgoing) throw badHeader(name);
    outgoing[lowerName] = value;
  }
  checkHeaders(outgoing);
  return outgoing;
}

/** @throws S3Error InvalidArgument for names and values that HTTP does not allow. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (typeof value !== 'string') throw badHeader(name);
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (cause) {
      throw badHeader(name, cause);
    }
  }
}

/** @throws S3Error InvalidArgument unless the path is absolute and of visible ASCII characters. */
export function checkPath(path: string): void {
  if (!/^\/[\u0021-\u007e]*$/.test(path)) throw s3Error('InvalidURI');
}

/** @throws S3Error InvalidArgument unless it is a length that HTTP and JavaScript can express. */
export function checkLength(lengthBytes: number): void {
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0) {
    throw s3Error('InvalidArgument', 'The length of the body must be a non-negative integer.');
  }
}

/**
 * Bucket names are part of the path or of the host name: what could change either is refused.
 * @throws S3Error InvalidBucketName
 */
export function checkBucketName(bucket: string, pathStyle: boolean): void {
  // Old buckets of us-east-1 may have upper-case letters, underscores and up to 255 characters, in path style only.
  const allowed = pathStyle
    ? /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/
    : /^[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]$/;
  if (!allowed.test(bucket)) throw s3Error('InvalidBucketName', undefined, { details: { BucketName: bucket } });
}

function badHeader(name: string, cause?: unknown): Error {
  const shownName = /^[\w-]{1,100}$/.test(name) ? name : 'header';
  return s3Error('InvalidArgument', 'A header has a name or value that HTTP does not allow.', {
    cause,
    details: { ArgumentName: shownName },
  });
}
