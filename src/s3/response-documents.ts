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
import { uriEncode } from './uri-encoding.ts';
import { element, s3Namespace, xmlDocument, type XmlNode } from './xml.ts';

/** `encoding-type` of a listing: with `url`, keys and prefixes are percent-encoded in the document. */
export type EncodingType = 'url' | undefined;

/**
 * Writes keys as the listing's encoding wants them. S3 encodes all but unreserved characters and keeps `/`. A space is
 * `%20`, which every decoder understands, also those that leave `+` alone.
 */
function keyEncoder(encodingType: EncodingType): (key: string) => string {
  return encodingType === 'url' ? (key) => uriEncode(key, false) : (key) => key;
}

function ownerElement(name: string, owner: Owner | undefined): XmlNode {
  if (owner === undefined) return element(name, undefined);
  return element(name, [element('ID', owner.id), element('DisplayName', owner.displayName)]);
}

function prefixElements(prefixes: readonly string[], encode: (key: string) => string): XmlNode[] {
  return prefixes.map((prefix) => element('CommonPrefixes', [element('Prefix', encode(prefix))]));
}

function optional(text: string | undefined, encode: (key: string) => string): string | undefined {
  return text === undefined ? undefined : encode(text);
}

/** ListAllMyBucketsResult. */
export function renderListBuckets(answer: {
  readonly owner: Owner;
  readonly buckets: readonly BucketEntry[];
  readonly prefix?: string;
  readonly continuationToken?: string;
}): string {
  const buckets = answer.buckets.map((bucket) =>
    element('Bucket', [
      element('Name', bucket.name),
      element('CreationDate', bucket.creationDate),
      element('BucketRegion', bucket.region),
    ]),
  );
  return xmlDocument('ListAllMyBucketsResult', s3Namespace, [
    ownerElement('Owner', answer.owner),
    element('Buckets', buckets),
    element('Prefix', answer.prefix),
    element('ContinuationToken', answer.continuationToken),
  ]);
}

/** LocationConstraint: the region, empty for us-east-1. */
export function renderLocation(locationConstraint: string): string {
  return xmlDocument('LocationConstraint', s3Namespace, locationConstraint);
}

interface ObjectsListing {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly maxKeys: number;
  readonly encodingType?: EncodingType;
  readonly page: ObjectsPage;
}

/** ListBucketResult as version 1 (ListObjects) has it. */
export function renderListObjects(listing: ObjectsListing & { readonly marker?: string }): string {
  const { page, encodingType } = listing;
  const encode = keyEncoder(encodingType);
  return xmlDocument('ListBucketResult', s3Namespace, [
    element('Name', listing.bucket),
    element('Prefix', encode(listing.prefix ?? '')),
    element('Marker', encode(listing.marker ?? '')),
    element('NextMarker', optional(page.nextMarker, encode)),
    element('MaxKeys', listing.maxKeys),
    element('Delimiter', optional(listing.delimiter, encode)),
    element('EncodingType', encodingType),
    element('IsTruncated', page.isTruncated),
    ...page.objects.map((object) => objectElement(object, encode)),
    ...prefixElements(page.commonPrefixes, encode),
  ]);
}

/** ListBucketResult as version 2 (ListObjectsV2) has it. Tokens are opaque and never encoded. */
export function renderListObjectsV2(
  listing: ObjectsListing & { readonly startAfter?: string; readonly continuationToken?: string },
): string {
  const { page, encodingType } = listing;
  const encode = keyEncoder(encodingType);
  return xmlDocument('ListBucketResult', s3Namespace, [
    element('Name', listing.bucket),
    element('Prefix', encode(listing.prefix ?? '')),
    element('StartAfter', optional(listing.startAfter, encode)),
    element('ContinuationToken', listing.continuationToken),
    element('NextContinuationToken', page.nextContinuationToken),
    element('KeyCount', page.objects.length + page.commonPrefixes.length),
    element('MaxKeys', listing.maxKeys),
    element('Delimiter', optional(listing.delimiter, encode)),
    element('EncodingType', encodingType),
    element('IsTruncated', page.isTruncated),
    ...page.objects.map((object) => objectElement(object, encode)),
    ...prefixElements(page.commonPrefixes, encode),
  ]);
}

function objectElement(object: ListedObject, encode: (key: string) => string): XmlNode {
  return element('Contents', [
    element('Key', encode(object.key)),
    element('LastModified', object.lastModified),
    element('ETag', object.etag),
    element('Size', object.sizeBytes),
    ownerElement('Owner', object.owner),
    element('StorageClass', object.storageClass ?? 'STANDARD'),
  ]);
}

/** ListVersionsResult. */
export function renderListVersions(listing: {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly keyMarker?: string;
  readonly versionIdMarker?: string;
  readonly maxKeys: number;
  readonly encodingType?: EncodingType;
  readonly page: VersionsPage;
}): string {
  const { page, encodingType } = listing;
  const encode = keyEncoder(encodingType);
  return xmlDocument('ListVersionsResult', s3Namespace, [
    element('Name', listing.bucket),
    element('Prefix', encode(listing.prefix ?? '')),
    element('KeyMarker', encode(listing.keyMarker ?? '')),
    element('VersionIdMarker', listing.versionIdMarker ?? ''),
    element('NextKeyMarker', optional(page.nextKeyMarker, encode)),
    element('NextVersionIdMarker', page.nextVersionIdMarker),
    element('MaxKeys', listing.maxKeys),
    element('Delimiter', optional(listing.delimiter, encode)),
    element('EncodingType', encodingType),
    element('IsTruncated', page.isTruncated),
    ...page.versions.map((version) => versionElement(version, encode)),
    ...prefixElements(page.commonPrefixes, encode),
  ]);
}

function versionElement(version: ListedVersion, encode: (key: string) => string): XmlNode {
  const isMarker = version.kind === 'deleteMarker';
  return element(isMarker ? 'DeleteMarker' : 'Version', [
    element('Key', encode(version.key)),
    element('VersionId', version.versionId),
    element('IsLatest', version.isLatest),
    element('LastModified', version.lastModified),
    element('ETag', isMarker ? undefined : version.etag),
    element('Size', isMarker ? undefined : version.sizeBytes),
    ownerElement('Owner', version.owner),
    element('StorageClass', isMarker ? undefined : (version.storageClass ?? 'STANDARD')),
  ]);
}

/** ListMultipartUploadsResult. */
export function renderListUploads(listing: {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly keyMarker?: string;
  readonly uploadIdMarker?: string;
  readonly maxUploads: number;
  readonly encodingType?: EncodingType;
  readonly owner: Owner;
  readonly page: UploadsPage;
}): string {
  const { page, encodingType, owner } = listing;
  const encode = keyEncoder(encodingType);
  return xmlDocument('ListMultipartUploadsResult', s3Namespace, [
    element('Bucket', listing.bucket),
    element('KeyMarker', encode(listing.keyMarker ?? '')),
    element('UploadIdMarker', listing.uploadIdMarker ?? ''),
    element('NextKeyMarker', optional(page.nextKeyMarker, encode)),
    element('NextUploadIdMarker', page.nextUploadIdMarker),
    element('Prefix', encode(listing.prefix ?? '')),
    element('Delimiter', optional(listing.delimiter, encode)),
    element('MaxUploads', listing.maxUploads),
    element('EncodingType', encodingType),
    element('IsTruncated', page.isTruncated),
    ...page.uploads.map((upload) => uploadElement(upload, owner, encode)),
    ...prefixElements(page.commonPrefixes, encode),
  ]);
}

function uploadElement(upload: ListedUpload, owner: Owner, encode: (key: string) => string): XmlNode {
  return element('Upload', [
    element('Key', encode(upload.key)),
    element('UploadId', upload.uploadId),
    ownerElement('Initiator', owner),
    ownerElement('Owner', owner),
    element('StorageClass', upload.storageClass ?? 'STANDARD'),
    element('Initiated', upload.initiated),
  ]);
}

/** ListPartsResult. */
export function renderListParts(listing: {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumberMarker?: number;
  readonly maxParts: number;
  readonly owner: Owner;
  readonly checksum?: { readonly algorithm: string; readonly type: string };
  readonly page: PartsPage;
}): string {
  const { page, owner } = listing;
  return xmlDocument('ListPartsResult', s3Namespace, [
    element('Bucket', listing.bucket),
    element('Key', listing.key),
    element('UploadId', listing.uploadId),
    ownerElement('Initiator', owner),
    ownerElement('Owner', owner),
    element('StorageClass', page.storageClass ?? 'STANDARD'),
    element('PartNumberMarker', listing.partNumberMarker ?? 0),
    element('NextPartNumberMarker', page.nextPartNumberMarker),
    element('MaxParts', listing.maxParts),
    element('IsTruncated', page.isTruncated),
    element('ChecksumAlgorithm', listing.checksum?.algorithm),
    element('ChecksumType', listing.checksum?.type),
    ...page.parts.map(partElement),
  ]);
}

function partElement(part: ListedPart): XmlNode {
  return element('Part', [
    element('PartNumber', part.partNumber),
    element('LastModified', part.lastModified),
    element('ETag', part.etag),
    element('Size', part.sizeBytes),
    ...Object.entries(part.checksums ?? {}).map(([name, value]) => element(name, value)),
  ]);
}

/** A page of an object's parts. */
export interface ObjectPartsPage {
  readonly partCount: number;
  readonly marker: number;
  readonly nextMarker: number;
  readonly maxParts: number;
  readonly isTruncated: boolean;
  readonly parts: readonly { readonly partNumber: number; readonly sizeBytes: number }[];
}

/** GetObjectAttributesResponse; what is undefined was not asked for, or is not there. */
export function renderObjectAttributes(object: {
  readonly etag?: string;
  /** By element name. */
  readonly checksums?: Readonly<Record<string, string>>;
  readonly parts?: ObjectPartsPage;
  readonly storageClass?: string;
  readonly sizeBytes?: number;
}): string {
  const checksums = Object.entries(object.checksums ?? {}).map(([name, value]) => element(name, value));
  return xmlDocument('GetObjectAttributesResponse', s3Namespace, [
    element('ETag', object.etag),
    element('Checksum', checksums.length === 0 ? undefined : checksums),
    element('ObjectParts', object.parts === undefined ? undefined : objectPartsElements(object.parts)),
    element('StorageClass', object.storageClass),
    element('ObjectSize', object.sizeBytes),
  ]);
}

function objectPartsElements(page: ObjectPartsPage): XmlNode[] {
  const parts = page.parts.map(({ partNumber, sizeBytes }) =>
    element('Part', [element('PartNumber', partNumber), element('Size', sizeBytes)]),
  );
  return [
    element('PartsCount', page.partCount),
    element('PartNumberMarker', page.marker),
    element('NextPartNumberMarker', page.nextMarker),
    element('MaxParts', page.maxParts),
    element('IsTruncated', page.isTruncated),
    ...parts,
  ];
}

/** InitiateMultipartUploadResult. */
export function renderInitiateUpload(upload: {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}): string {
  return xmlDocument('InitiateMultipartUploadResult', s3Namespace, [
    element('Bucket', upload.bucket),
    element('Key', upload.key),
    element('UploadId', upload.uploadId),
  ]);
}

/** CopyObjectResult or CopyPartResult; `checksums` by element name, e.g. `ChecksumCRC32C` and `ChecksumType`. */
export function renderCopyResult(
  name: 'CopyObjectResult' | 'CopyPartResult',
  answer: {
    readonly etag: string;
    readonly lastModified: string;
    readonly checksums?: Readonly<Record<string, string>>;
  },
): string {
  return xmlDocument(name, s3Namespace, [
    element('LastModified', answer.lastModified),
    element('ETag', answer.etag),
    ...Object.entries(answer.checksums ?? {}).map(([checksum, value]) => element(checksum, value)),
  ]);
}

/** CompleteMultipartUploadResult; `checksums` by element name, e.g. `ChecksumCRC32C` and `ChecksumType`. */
export function renderCompleteUpload(answer: {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
  readonly checksums?: Readonly<Record<string, string>>;
}): string {
  return xmlDocument('CompleteMultipartUploadResult', s3Namespace, [
    element('Location', answer.location),
    element('Bucket', answer.bucket),
    element('Key', answer.key),
    element('ETag', answer.etag),
    ...Object.entries(answer.checksums ?? {}).map(([name, value]) => element(name, value)),
  ]);
}

/** PostResponse, for forms with `success_action_status` 201; without namespace, as S3 writes it. */
export function renderPostResponse(answer: {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
}): string {
  return xmlDocument('PostResponse', undefined, [
    element('Location', answer.location),
    element('Bucket', answer.bucket),
    element('Key', answer.key),
    element('ETag', answer.etag),
  ]);
}

/** DeleteResult; `quiet` leaves out what was deleted, as the request asked. */
export function renderDeleteResult(outcomes: readonly DeletedObject[], quiet: boolean): string {
  const shown = outcomes.filter((outcome) => !quiet || outcome.errorCode !== undefined);
  return xmlDocument('DeleteResult', s3Namespace, shown.map(outcomeElement));
}

function outcomeElement(outcome: DeletedObject): XmlNode {
  const address = [element('Key', outcome.key), element('VersionId', outcome.versionId)];
  if (outcome.errorCode !== undefined) {
    return element('Error', [
      ...address,
      element('Code', outcome.errorCode),
      element('Message', outcome.errorMessage ?? ''),
    ]);
  }
  return element('Deleted', [
    ...address,
    element('DeleteMarker', outcome.deleteMarker),
    element('DeleteMarkerVersionId', outcome.deleteMarkerVersionId),
  ]);
}
