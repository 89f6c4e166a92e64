import { s3Error } from './s3-error.ts';
import { parseTaggingHeader } from './tagging.ts';

/** Header names in lower case. Values are bytes as Latin-1 text, which is how node:http and undici carry them. */
export type HeaderRecord = Readonly<Record<string, string | undefined>>;

/** Our own metadata: never set by a client, never shown to one. */
const ownMetadata = new Set(['x-amz-meta-s3eg', 'x-amz-meta-s3eg-key']);

const metadataPrefix = 'x-amz-meta-';

/** S3's limit of an object's metadata in bytes: names without `x-amz-meta-`, and values. */
export const maxMetadataBytes = 2048;

/**
 * What of it is left to the client's own metadata where an object is encrypted: room is kept for the envelope with a
 * KMS's wrapped key in it, so that an object under any key can be brought under any other.
 */
export const maxUserMetadataBytes = maxMetadataBytes - 896;

const writeHeaders =
  /^(?:cache-control|content-disposition|content-language|content-type|expires|x-amz-storage-class|x-amz-website-redirect-location|x-amz-object-lock-(?:mode|retain-until-date|legal-hold)|x-amz-tagging|x-amz-acl|x-amz-grant-(?:full-control|read|read-acp|write-acp)|x-amz-server-side-encryption(?:-aws-kms-key-id|-context|-bucket-key-enabled)?|x-amz-expected-bucket-owner|x-amz-request-payer)$/;

const deleteHeaders =
  /^(?:x-amz-bypass-governance-retention|x-amz-mfa|x-amz-expected-bucket-owner|x-amz-request-payer)$/;

const bucketHeaders =
  /^(?:x-amz-acl|x-amz-grant-(?:full-control|read|read-acp|write|write-acp)|x-amz-bucket-object-lock-enabled|x-amz-object-ownership)$/;

const answerHeaders =
  /^(?:cache-control|content-disposition|content-encoding|content-language|content-type|expires|last-modified|x-amz-copy-source-version-id|x-amz-delete-marker|x-amz-expiration|x-amz-missing-meta|x-amz-object-lock-(?:mode|retain-until-date|legal-hold)|x-amz-replication-status|x-amz-request-charged|x-amz-restore|x-amz-server-side-encryption(?:-aws-kms-key-id|-context|-bucket-key-enabled)?|x-amz-storage-class|x-amz-tagging-count|x-amz-version-id|x-amz-website-redirect-location)$/;

/**
 * What of a client's PutObject or CreateMultipartUpload is stored with the object: system headers and user metadata,
 * byte for byte (clients that send UTF-8 get the same UTF-8 back). `aws-chunked` leaves Content-Encoding, for it is of
 * the transfer. All else stays behind: hop-by-hop headers, Expect, signatures, checksums of plaintext.
 * @throws S3Error InvalidArgument (our own metadata, a value that cannot be sent, malformed tags), MetadataTooLarge,
 * InvalidTag, BadRequest (too many tags), NotImplemented (SSE-C).
 */
export function requestObjectHeaders(
  headers: HeaderRecord,
  maxUserBytes: number = maxUserMetadataBytes,
): Record<string, string> {
  for (const name of Object.keys(headers)) checkClientHeader(name);
  const chosen = pick(headers, (name) => writeHeaders.test(name) || isUserMetadata(name));
  const encoding = withoutAwsChunked(headers['content-encoding']);
  if (encoding !== undefined) chosen['content-encoding'] = encoding;
  // Backends keep their default instead, so that the digest of what was sent would not hold for what is stored.
  if (chosen['content-type']?.trim() === '') delete chosen['content-type'];
  checkUserMetadataSize(chosen, maxUserBytes);
  parseTaggingHeader(chosen['x-amz-tagging'] ?? '');
  return sendable(chosen);
}

const descriptiveHeaders =
  /^(?:cache-control|content-disposition|content-encoding|content-language|content-type|expires)$/;

/** What describes an object's content: system headers and user metadata, which a copy takes over or replaces. */
function descriptionOf(headers: HeaderRecord): Record<string, string> {
  return pick(headers, (name) => descriptiveHeaders.test(name) || isUserMetadata(name));
}

/**
 * What of a client's copy goes beside its content: by the two directives, what describes it is the source's or the
 * request's, and its tags stay behind unless they are replaced. All else (storage class, ACL, lock, redirect …) is the
 * request's.
 * @throws S3Error as `requestObjectHeaders`.
 */
export function copiedObjectHeaders(copy: {
  readonly requested: HeaderRecord;
  readonly source: HeaderRecord;
  readonly metadata: 'COPY' | 'REPLACE';
  readonly tags: 'COPY' | 'REPLACE';
  readonly maxUserBytes: number;
}): Record<string, string> {
  const { requested, metadata, tags, maxUserBytes } = copy;
  const { 'x-amz-tagging': tagging, ...rest } = requestObjectHeaders(requested, maxUserBytes);
  const described = metadata === 'COPY' ? descriptionOf(copy.source) : descriptionOf(rest);
  checkUserMetadataSize(described, maxUserBytes);
  const others = pick(rest, (name) => !descriptiveHeaders.test(name) && !isUserMetadata(name));
  const replacing = tags === 'REPLACE' && tagging !== undefined ? { 'x-amz-tagging': tagging } : {};
  return sendable({ ...described, ...others, ...replacing });
}

/** What of a client's DeleteObject or DeleteObjects goes to the backend. */
export function requestDeleteHeaders(headers: HeaderRecord): Record<string, string> {
  return sendable(pick(headers, (name) => deleteHeaders.test(name)));
}

/** What of a client's CreateBucket goes to the backend. */
export function requestBucketHeaders(headers: HeaderRecord): Record<string, string> {
  return sendable(pick(headers, (name) => bucketHeaders.test(name)));
}

/**
 * What of a backend's answer about an object goes to the client. Length, ETag, range and checksums are of ciphertext:
 * the operation sets its own. Nothing that names the backend (Server, request ids, vendor headers) passes.
 */
export function responseObjectHeaders(headers: HeaderRecord): Record<string, string> {
  return pick(headers, (name) => answerHeaders.test(name) || isUserMetadata(name));
}

/** Headers of the signature and of the body's transfer: the gateway has verified them and makes its own. */
const transferHeaders =
  /^x-amz-(?:checksum-.*|content-sha256|date|decoded-content-length|sdk-.*|security-token|trailer|user-agent|meta-.*|id-2|request-id)$/;

/** What of a client's request about a sub-resource goes to the backend. */
export function requestForwardedHeaders(headers: HeaderRecord): Record<string, string> {
  return sendable(pick(headers, isForwarded));
}

/** What of a backend's answer about a sub-resource goes to the client; nothing that names the backend. */
export function responseForwardedHeaders(headers: HeaderRecord): Record<string, string> {
  return pick(headers, isForwarded);
}

function isForwarded(name: string): boolean {
  return name === 'content-type' || (name.startsWith('x-amz-') && !transferHeaders.test(name));
}

function isUserMetadata(name: string): boolean {
  return name.startsWith(metadataPrefix) && !ownMetadata.has(name);
}

function pick(headers: HeaderRecord, isChosen: (name: string) => boolean): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined && isChosen(name)) chosen[name] = value;
  }
  return chosen;
}

/** Refuses what undici would not send: a request that it refuses costs its pool a connection slot for good. */
function sendable(headers: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    // oxlint-disable-next-line no-control-regex
    if (/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) continue;
    throw s3Error('InvalidArgument', `The value of the header ${name} holds characters that a header cannot carry.`, {
      details: { ArgumentName: name },
    });
  }
  return headers;
}

function checkClientHeader(name: string): void {
  if (ownMetadata.has(name)) {
    throw s3Error('InvalidArgument', `The metadata header ${name} is reserved for the gateway.`, {
      details: { ArgumentName: name },
    });
  }
  if (name.startsWith('x-amz-server-side-encryption-customer-')) {
    throw s3Error('NotImplemented', undefined, { details: { Header: name } });
  }
}

/** The codings of a Content-Encoding that are of the object, or undefined where there are none. */
export function withoutAwsChunked(header: string | undefined): string | undefined {
  const codings = (header ?? '').split(',').map((coding) => coding.trim());
  const kept = codings.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked');
  return kept.length === 0 ? undefined : kept.join(', ');
}

/** @throws S3Error MetadataTooLarge. */
function checkUserMetadataSize(headers: HeaderRecord, maxBytes: number): void {
  refuseMetadataOver(maxBytes, metadataBytes(headers, isUserMetadata));
}

/**
 * For headers with the envelope among them: whether it fits beside the user's metadata.
 * @throws S3Error MetadataTooLarge with what would have fitted.
 */
export function checkStoredMetadataSize(headers: HeaderRecord): void {
  const envelopeBytes = metadataBytes(headers, (name) => ownMetadata.has(name));
  checkUserMetadataSize(headers, maxMetadataBytes - envelopeBytes);
}

/** One byte a character: values are the bytes that came. */
function metadataBytes(headers: HeaderRecord, isCounted: (name: string) => boolean): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && isCounted(name)) bytes += name.length - metadataPrefix.length + value.length;
  }
  return bytes;
}

function refuseMetadataOver(maxBytes: number, bytes: number): void {
  if (bytes <= maxBytes) return;
  throw s3Error('MetadataTooLarge', undefined, {
    details: { Size: String(bytes), MaxSizeAllowed: String(maxBytes) },
  });
}
