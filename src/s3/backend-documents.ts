import type {
  BucketEntry,
  DeletedObject,
  ListedObject,
  ListedPart,
  ListedUpload,
  ListedVersion,
  ObjectsPage,
  Owner,
  PartsPage,
  UploadsPage,
  VersionsPage,
} from './document-types.ts';
import { errorCatalogue, type S3ErrorCode } from './error-catalogue.ts';
import { S3Error, s3Error } from './s3-error.ts';
import { parseXml, parseXmlEntries, type XmlElement } from './xml.ts';

/*
 * What an S3 backend answers. A document that cannot be read is the backend's fault, not the client's: InternalError.
 */

type Body = string | Uint8Array;

/** ListAllMyBucketsResult; `continuationToken` where there are more. */
export function parseListBucketsAnswer(body: Body): {
  readonly buckets: readonly BucketEntry[];
  readonly continuationToken?: string;
} {
  return read(body, ['ListAllMyBucketsResult'], (root) => ({
    buckets: (root.child('Buckets')?.children('Bucket') ?? []).map((bucket) => ({
      name: required(bucket, 'Name'),
      creationDate: bucket.textOf('CreationDate') ?? '',
      ...given('region', bucket.textOf('BucketRegion')),
    })),
    ...given('continuationToken', root.textOf('ContinuationToken')),
  }));
}

/** ListBucketResult of either version. Decoded by what the answer says, for some backends ignore `encoding-type`. */
export function parseListObjectsAnswer(body: Body): ObjectsPage {
  return readWith(() => {
    const { root, entries } = parseXmlEntries(body, 'Contents', parseObject);
    requireRoot(root, ['ListBucketResult']);
    const decode = keyDecoder(root);
    return {
      objects: entries.map((entry) => ({ ...entry, key: decode(entry.key) })),
      commonPrefixes: parsePrefixes(root, decode),
      isTruncated: isTrue(root, 'IsTruncated'),
      ...given('nextMarker', decode(root.textOf('NextMarker') ?? '')),
      ...given('nextContinuationToken', root.textOf('NextContinuationToken')),
    };
  });
}

/** The key as it stands in the document. */
function parseObject(entry: XmlElement): ListedObject {
  return {
    key: required(entry, 'Key'),
    lastModified: entry.textOf('LastModified') ?? '',
    etag: quoted(entry.textOf('ETag') ?? ''),
    sizeBytes: integer(entry, 'Size'),
    ...given('storageClass', entry.textOf('StorageClass')),
    ...parseOwner(entry),
  };
}

function parseOwner(entry: XmlElement): { readonly owner?: Owner } {
  const owner = entry.child('Owner');
  const id = owner?.textOf('ID') ?? '';
  return id === '' ? {} : { owner: { id, ...given('displayName', owner?.textOf('DisplayName')) } };
}

/** ListVersionsResult: versions and delete markers in the order in which they stand. */
export function parseListVersionsAnswer(body: Body): VersionsPage {
  return read(body, ['ListVersionsResult', 'ListBucketVersionsResult'], (root) => {
    const decode = keyDecoder(root);
    const entries = root.children().filter(({ name }) => name === 'Version' || name === 'DeleteMarker');
    return {
      versions: entries.map((entry) => parseVersion(entry, decode)),
      commonPrefixes: parsePrefixes(root, decode),
      isTruncated: isTrue(root, 'IsTruncated'),
      ...given('nextKeyMarker', decode(root.textOf('NextKeyMarker') ?? '')),
      ...given('nextVersionIdMarker', root.textOf('NextVersionIdMarker')),
    };
  });
}

function parseVersion(entry: XmlElement, decode: (text: string) => string): ListedVersion {
  const isMarker = entry.name === 'DeleteMarker';
  return {
    kind: isMarker ? 'deleteMarker' : 'version',
    key: decode(required(entry, 'Key')),
    versionId: entry.textOf('VersionId') ?? 'null',
    isLatest: isTrue(entry, 'IsLatest'),
    lastModified: entry.textOf('LastModified') ?? '',
    etag: quoted(entry.textOf('ETag') ?? ''),
    sizeBytes: isMarker ? 0 : integer(entry, 'Size'),
    ...given('storageClass', entry.textOf('StorageClass')),
    ...parseOwner(entry),
  };
}

/** ListPartsResult. */
export function parseListPartsAnswer(body: Body): PartsPage {
  // moto's name for it is another one.
  return read(body, ['ListPartsResult', 'ListPartsResponse'], (root) => {
    const isTruncated = isTrue(root, 'IsTruncated');
    return {
      parts: root.children('Part').map(parsePart),
      isTruncated,
      ...(isTruncated ? { nextPartNumberMarker: integer(root, 'NextPartNumberMarker') } : {}),
      ...given('storageClass', root.textOf('StorageClass')),
    };
  });
}

function parsePart(part: XmlElement): ListedPart {
  return {
    partNumber: integer(part, 'PartNumber'),
    etag: quoted(part.textOf('ETag') ?? ''),
    sizeBytes: integer(part, 'Size'),
    lastModified: part.textOf('LastModified') ?? '',
  };
}

/** ListMultipartUploadsResult. */
export function parseListUploadsAnswer(body: Body): UploadsPage {
  return read(body, ['ListMultipartUploadsResult'], (root) => {
    const decode = keyDecoder(root);
    return {
      uploads: root.children('Upload').map((upload) => parseUpload(upload, decode)),
      commonPrefixes: parsePrefixes(root, decode),
      isTruncated: isTrue(root, 'IsTruncated'),
      ...given('nextKeyMarker', decode(root.textOf('NextKeyMarker') ?? '')),
      ...given('nextUploadIdMarker', root.textOf('NextUploadIdMarker')),
    };
  });
}

function parseUpload(upload: XmlElement, decode: (text: string) => string): ListedUpload {
  return {
    key: decode(required(upload, 'Key')),
    uploadId: required(upload, 'UploadId'),
    initiated: upload.textOf('Initiated') ?? '',
    ...given('storageClass', upload.textOf('StorageClass')),
  };
}

/** InitiateMultipartUploadResult. */
export function parseInitiateUploadAnswer(body: Body): { readonly uploadId: string } {
  return read(body, ['InitiateMultipartUploadResult'], (root) => ({ uploadId: required(root, 'UploadId') }));
}

/**
 * CompleteMultipartUploadResult. S3 sends status 200 before it knows the outcome, so a failure may follow in the body.
 * @throws S3Error the one that the body tells.
 */
export function parseCompleteUploadAnswer(body: Body): { readonly etag: string } {
  return read(body, ['CompleteMultipartUploadResult', 'Error'], (root) => {
    if (root.name === 'Error') throw errorOf(root, undefined, 'InternalError');
    return { etag: quoted(required(root, 'ETag')) };
  });
}

/**
 * CopyObjectResult and CopyPartResult. S3 sends status 200 before it knows the outcome, so a failure may follow in the
 * body.
 * @throws S3Error the one that the body tells.
 */
export function parseCopyAnswer(body: Body): { readonly etag: string; readonly lastModified: string } {
  return read(body, ['CopyObjectResult', 'CopyPartResult', 'Error'], (root) => {
    if (root.name === 'Error') throw errorOf(root, undefined, 'InternalError');
    return { etag: quoted(required(root, 'ETag')), lastModified: root.textOf('LastModified') ?? '' };
  });
}

/** DeleteResult. */
export function parseDeleteResultAnswer(body: Body): readonly DeletedObject[] {
  return read(body, ['DeleteResult'], (root) => [
    ...root.children('Deleted').map((deleted) => ({
      key: required(deleted, 'Key'),
      ...given('versionId', deleted.textOf('VersionId')),
      ...(deleted.child('DeleteMarker') === undefined ? {} : { deleteMarker: isTrue(deleted, 'DeleteMarker') }),
      ...given('deleteMarkerVersionId', deleted.textOf('DeleteMarkerVersionId')),
    })),
    ...root.children('Error').map((error) => ({
      key: required(error, 'Key'),
      ...given('versionId', error.textOf('VersionId')),
      errorCode: error.textOf('Code') ?? 'InternalError',
      errorMessage: error.textOf('Message') ?? '',
    })),
  ]);
}

/** LocationConstraint; '' for us-east-1. Some servers wrap it in an element of the same name. */
export function parseLocationAnswer(body: Body): string {
  return read(body, ['LocationConstraint', 'CreateBucketConfiguration'], (root) =>
    (root.textOf('LocationConstraint') ?? root.text()).trim(),
  );
}

/** Codes for answers without a readable body, as those to HEAD and those of proxies in between. */
const codeByStatus = new Map<number, S3ErrorCode>([
  [304, 'NotModified'],
  [400, 'InvalidRequest'],
  [403, 'AccessDenied'],
  [404, 'NoSuchKey'],
  [405, 'MethodNotAllowed'],
  [409, 'OperationAborted'],
  [411, 'MissingContentLength'],
  [412, 'PreconditionFailed'],
  [416, 'InvalidRange'],
  [429, 'SlowDown'],
  [501, 'NotImplemented'],
  [502, 'ServiceUnavailable'],
  [503, 'SlowDown'],
  [504, 'ServiceUnavailable'],
]);

/** Codes about the gateway's own request to the backend: a client would take them for its own signature's. */
const aboutCredentials = new Set([
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'InvalidToken',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
]);

interface ErrorAnswer {
  readonly status: number;
  readonly body: Body;
  readonly fallback?: S3ErrorCode;
}

/**
 * The error that a backend answered, with the backend's status. `fallback` is the code where the body does not tell one
 * (for 404 what it would be about: NoSuchBucket, NoSuchKey, NoSuchUpload); by default it follows from the status.
 * Redirects and refused credentials are between the gateway and the backend: InternalError, with the answer as cause.
 */
export function parseErrorAnswer(answer: ErrorAnswer): S3Error {
  const said = readErrorAnswer(answer);
  const isRedirect = answer.status >= 300 && answer.status < 400 && answer.status !== 304;
  if (isRedirect) return s3Error('InternalError', 'The storage backend redirects to another place.', { cause: said });
  if (!aboutCredentials.has(said.code)) return said;
  return s3Error('InternalError', "The storage backend refused the gateway's own credentials.", { cause: said });
}

function readErrorAnswer(answer: ErrorAnswer): S3Error {
  const { status, body } = answer;
  const fallback = answer.fallback ?? codeByStatus.get(status) ?? 'InternalError';
  let root: XmlElement | undefined;
  try {
    root = body.length === 0 ? undefined : parseXml(body, { maxBytes: 1024 * 1024 });
  } catch (cause) {
    return s3Error(fallback, undefined, { status, cause });
  }
  return root?.name === 'Error' ? errorOf(root, status, fallback) : s3Error(fallback, undefined, { status });
}

const maxErrorTextLength = 2048;
const maxErrorDetails = 16;
const ownDetails = new Set(['Code', 'Message', 'Resource', 'RequestId', 'HostId', 'RequestID', 'HostID']);

function errorOf(root: XmlElement, status: number | undefined, fallback: S3ErrorCode): S3Error {
  const said = root.textOf('Code')?.trim() ?? '';
  const code = /^[A-Za-z][A-Za-z0-9.]{0,99}$/.test(said) ? said : fallback;
  const known = isKnown(code) ? errorCatalogue[code] : undefined;
  const message = (root.textOf('Message') ?? '').slice(0, maxErrorTextLength);
  const details = root
    .children()
    .filter((child) => !ownDetails.has(child.name) && /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(child.name))
    .filter((child) => child.text().length <= maxErrorTextLength)
    .slice(0, maxErrorDetails)
    .map((child) => [child.name, child.text()] as const);
  return new S3Error(code, message === '' ? (known?.message ?? code) : message, {
    status: status ?? known?.status ?? 500,
    details: Object.fromEntries(details),
  });
}

function isKnown(code: string): code is S3ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

function read<Value>(body: Body, roots: readonly string[], build: (root: XmlElement) => Value): Value {
  return readWith(() => {
    const root = parseXml(body);
    requireRoot(root, roots);
    return build(root);
  });
}

function requireRoot({ name }: XmlElement, roots: readonly string[]): void {
  if (!roots.includes(name)) throw new Error(`the root element is ${name}, not ${roots[0] ?? ''}`);
}

function readWith<Value>(parse: () => Value): Value {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof S3Error && cause.code !== 'MalformedXML' && cause.code !== 'MaxMessageLengthExceeded') {
      throw cause;
    }
    throw s3Error('InternalError', 'The storage backend gave an answer that cannot be read.', { cause });
  }
}

/** With `encoding-type=url`, S3 and most others write a space as `+` and a plus as `%2B`; `%20` is understood too. */
function keyDecoder(root: XmlElement): (text: string) => string {
  if (root.textOf('EncodingType')?.trim().toLowerCase() !== 'url') return (text) => text;
  return (text) => (/[%+]/.test(text) ? decodeURIComponent(text.replaceAll('+', ' ')) : text);
}

function parsePrefixes(root: XmlElement, decode: (text: string) => string): string[] {
  return root
    .children('CommonPrefixes')
    .flatMap((group) => group.children('Prefix'))
    .map((prefix) => decode(prefix.text()));
}

function required(parent: XmlElement, name: string): string {
  const text = parent.textOf(name);
  if (text === undefined || text === '') throw new Error(`${parent.name} has no ${name}`);
  return text;
}

function integer(parent: XmlElement, name: string): number {
  const text = required(parent, name).trim();
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Error(`${name} in ${parent.name} is not an integer`);
  return value;
}

function isTrue(parent: XmlElement, name: string): boolean {
  return parent.textOf(name)?.trim().toLowerCase() === 'true';
}

/** An optional property, left out where the element is missing or empty. */
function given<Name extends string>(name: Name, text: string | undefined): { readonly [K in Name]?: string } {
  if (text === undefined || text === '') return {};
  const property: { [K in Name]?: string } = {};
  property[name] = text;
  return property;
}

function quoted(etag: string): string {
  return etag.startsWith('"') || etag.startsWith('W/') || etag === '' ? etag : `"${etag}"`;
}
