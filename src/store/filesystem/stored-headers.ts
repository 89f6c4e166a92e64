import { s3Error, type S3Error } from '../../s3/s3-error.ts';
import { parseTaggingHeader, renderTaggingHeader, type Tag } from '../../s3/tagging.ts';
import type { Headers } from '../object-store.ts';

const metadataPrefix = 'x-amz-meta-';
const tagging = 'x-amz-tagging';

/** S3's limit of user metadata. */
const maxMetadataBytes = 2048;

const keptAsTheyAre = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
  'x-amz-website-redirect-location',
  tagging,
]);

/**
 * Checksums are verified by the gateway before bytes come here, and are of plaintext; the payer and the signature's
 * headers say nothing about the object.
 */
const ofNoConcern =
  /^x-amz-(?:checksum-[a-z0-9-]+|sdk-checksum-algorithm|request-payer|date|content-sha256|security-token|trailer|decoded-content-length|user-agent)$/;

const allowedAcls = new Set(['private', 'bucket-owner-full-control']);

/** The other canned ACLs of S3. */
const otherAcls = new Set([
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'log-delivery-write',
]);

const serverSideEncryptions = new Set(['AES256', 'aws:kms', 'aws:kms:dsse', 'aws:fsx']);

/**
 * What is stored of a request's headers. What this store cannot honour is refused, never dropped silently.
 * @throws S3Error BadRequest, InvalidArgument, InvalidRequest, InvalidStorageClass, InvalidTag, MetadataTooLarge,
 * NotImplemented.
 */
export function storedHeaders(headers: Headers): Headers {
  const kept: Record<string, string> = {};
  let metadataBytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(metadataPrefix)) metadataBytes += name.length - metadataPrefix.length + value.length;
    if (name.startsWith(metadataPrefix) || keptAsTheyAre.has(name)) kept[name] = value;
    else checkHeader(name, value);
  }
  if (metadataBytes > maxMetadataBytes) {
    throw s3Error('MetadataTooLarge', undefined, {
      details: { Size: String(metadataBytes), MaxSizeAllowed: String(maxMetadataBytes) },
    });
  }
  parseTaggingHeader(kept[tagging] ?? '');
  return kept;
}

/** What an answer about an object says of the stored headers: all of them, and the number of tags instead of the tags. */
export function answeredHeaders(stored: Headers): Record<string, string> {
  const { [tagging]: tags = '', ...rest } = stored;
  const count = parseTaggingHeader(tags).length;
  return {
    'content-type': 'binary/octet-stream',
    ...rest,
    ...(count === 0 ? {} : { 'x-amz-tagging-count': String(count) }),
  };
}

/** The stored form, read back from the index. */
export function parseHeaders(json: string): Headers {
  const parsed: unknown = JSON.parse(json);
  if (typeof parsed !== 'object' || parsed === null) throw new TypeError('the headers in the index are not an object');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) if (typeof value === 'string') headers[name] = value;
  return headers;
}

/** The Content-MD5 that a body must have, as bytes. */
export function contentMd5(headers: Headers): Uint8Array | undefined {
  const header = headers['content-md5'];
  if (header === undefined) return undefined;
  const md5 = Buffer.from(header, 'base64');
  if (md5.length !== 16) throw s3Error('InvalidDigest', undefined, { details: { 'Content-MD5': header } });
  return md5;
}

function checkHeader(name: string, value: string): void {
  if (name === 'x-amz-acl') return checkAcl(value);
  if (name === 'x-amz-storage-class') {
    if (value === 'STANDARD') return;
    throw s3Error('InvalidStorageClass', undefined, { details: { StorageClassRequested: value } });
  }
  if (name.startsWith('x-amz-object-lock-')) {
    throw s3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration');
  }
  if (name === 'x-amz-server-side-encryption' && !serverSideEncryptions.has(value)) {
    throw invalidValue(name, value, 'The encryption method specified is not supported');
  }
  if (name.startsWith('x-amz-server-side-encryption')) {
    throw s3Error(
      'NotImplemented',
      'Server side encryption was asked for, but the embedded store has no key service.',
      {
        details: { Header: name },
      },
    );
  }
  if (name.startsWith('x-amz-') && !ofNoConcern.test(name)) {
    throw s3Error('NotImplemented', `The embedded store does not implement the header ${name}.`, {
      details: { Header: name },
    });
  }
}

/** The store has one owner and no access lists: only what that already means is accepted. */
export function checkAcl(value: string): void {
  if (allowedAcls.has(value)) return;
  if (!otherAcls.has(value)) throw invalidValue('x-amz-acl', value, 'The canned ACL is not one of S3');
  throw s3Error(
    'NotImplemented',
    'The embedded store has no access lists: only the canned ACL "private" is accepted.',
    {
      details: { Header: 'x-amz-acl' },
    },
  );
}

function invalidValue(name: string, value: string, message: string): S3Error {
  return s3Error('InvalidArgument', message, { details: { ArgumentName: name, ArgumentValue: value.slice(0, 100) } });
}

/** The same headers with other tags. */
export function withTags(stored: Headers, tags: readonly Tag[]): Headers {
  const { [tagging]: _tags, ...rest } = stored;
  return tags.length === 0 ? rest : { ...rest, [tagging]: renderTaggingHeader(tags) };
}

/** The tags in stored headers. */
export function tagsOf(stored: Headers): readonly Tag[] {
  return parseTaggingHeader(stored[tagging] ?? '');
}
