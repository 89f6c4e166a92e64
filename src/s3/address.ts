import { s3Error } from './s3-error.ts';

/** What a request is about: the service, a bucket, or an object. There is a key only with a bucket. */
export interface RequestAddress {
  readonly bucket?: string;
  readonly key?: string;
}

/** What stands for itself in a path: ASCII without `%`. */
// oxlint-disable-next-line no-control-regex -- the range is that of ASCII
const plainText = /^[\0-$&-\x7f]*$/;

/** Longest key: bytes of UTF-8. */
const maxKeyBytes = 1024;

/**
 * Reads the address of a request from its path as it came (`/bucket/key`, query apart, nothing normalised) and its Host
 * header. `<bucket>.<name>` for a name of `publicHosts` is virtual-hosted style; all else is path style. The key is
 * what comes after the bucket's slash, percent-decoded once: `//`, `.`, `..` and encoded slashes are part of it.
 * `GET /bucket` and `GET /bucket/` are the same.
 * @throws S3Error InvalidURI, InvalidArgument (U+0000 in a key), KeyTooLongError, InvalidBucketName.
 */
export function parseAddress(request: {
  readonly rawPath: string;
  readonly host: string | undefined;
  readonly publicHosts: readonly string[];
}): RequestAddress {
  const { rawPath } = request;
  if (!rawPath.startsWith('/')) throw s3Error('InvalidURI');
  const hostBucket = bucketOfHost(request.host ?? '', request.publicHosts);
  if (hostBucket !== undefined) return address(hostBucket, rawPath.slice(1));
  const slash = rawPath.indexOf('/', 1);
  const rawBucket = slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash);
  const rawKey = slash < 0 ? '' : rawPath.slice(slash + 1);
  if (rawBucket === '') {
    if (rawKey === '' && slash < 0) return {};
    throw s3Error('InvalidBucketName', undefined, { details: { BucketName: '' } });
  }
  return address(decode(rawBucket), rawKey);
}

/** Whether the bucket stands in the host name, by the rules of `parseAddress`. */
export function isVirtualHosted(host: string, publicHosts: readonly string[]): boolean {
  return bucketOfHost(host, publicHosts) !== undefined;
}

function address(bucket: string, rawKey: string): RequestAddress {
  checkBucketName(bucket);
  if (rawKey === '') return { bucket };
  const key = decode(rawKey);
  checkKeyLength(key);
  // XML has no way to write U+0000: such a key would break every listing that holds it.
  if (key.includes('\0')) throw s3Error('InvalidArgument', 'Object keys may not contain U+0000.');
  return { bucket, key };
}

function bucketOfHost(host: string, publicHosts: readonly string[]): string | undefined {
  if (publicHosts.length === 0) return undefined;
  const name = host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  // The longest name first: of `example.org` and `s3.example.org` the latter is meant by `b.s3.example.org`.
  const candidates = publicHosts.map(normalHost).toSorted((a, b) => b.length - a.length);
  if (candidates.includes(name)) return undefined;
  const suffix = candidates.find((candidate) => name.endsWith(`.${candidate}`));
  return suffix === undefined ? undefined : name.slice(0, -suffix.length - 1);
}

function normalHost(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

/** Percent-decodes once, as UTF-8. Bytes that came unencoded stand in the path as Latin-1, as node:http gives them. */
function decode(raw: string): string {
  if (plainText.test(raw)) return raw;
  const ascii = raw.replace(/[\u0080-\u00ff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(ascii);
  } catch (cause) {
    throw s3Error('InvalidURI', undefined, { cause });
  }
}

/** @throws S3Error KeyTooLongError over 1 024 bytes of UTF-8. */
export function checkKeyLength(key: string): void {
  const size = Buffer.byteLength(key);
  if (size > maxKeyBytes) {
    throw s3Error('KeyTooLongError', undefined, {
      details: { Size: String(size), MaxSizeAllowed: String(maxKeyBytes) },
    });
  }
}

/**
 * Checks a name by S3's rules for general purpose buckets: 3 to 63 lower-case letters, digits, dots and hyphens, a
 * letter or digit at both ends, no two dots in a row, not like an IPv4 address.
 * @throws S3Error InvalidBucketName.
 */
export function checkBucketName(bucket: string): void {
  const isWellFormed = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) && !bucket.includes('..');
  if (!isWellFormed || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(bucket)) {
    throw s3Error('InvalidBucketName', undefined, { details: { BucketName: bucket.slice(0, 255) } });
  }
}
