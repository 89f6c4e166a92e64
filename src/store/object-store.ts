import type { ByteStream } from '../base/byte-stream.ts';
import type { Health } from '../base/health.ts';

/**
 * S3 headers with lower-case names. In a request: what goes to the backend as it is (system headers, `x-amz-meta-*`,
 * tagging, storage class, object lock, conditions are apart). In an answer: every header the backend gave.
 */
export type Headers = Readonly<Record<string, string>>;

/** Conditional headers of RFC 9110 with the values as S3 takes them (ETags quoted, dates in HTTP form). */
export interface Conditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
}

/** A byte range as S3's Range header has it: `first-last`, `first-` or the last `suffix` bytes. */
export type ByteRange = { readonly first: number; readonly last?: number } | { readonly suffix: number };

/** Lifetime of one call: aborting the signal ends the backend request at once. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface BucketEntry {
  readonly name: string;
  readonly creationDate: string; // ISO 8601
  readonly region?: string;
}

export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

export interface PutObjectRequest extends ObjectAddress {
  readonly headers: Headers;
  readonly conditions?: Conditions;
  readonly body: ByteStream;
  /** Exact number of bytes that `body` gives; the store fails the put when it gives another number. */
  readonly lengthBytes: number;
}

/** Answer of a write: the ETag (quoted, as the backend gave it) and all other headers (version id, expiration …). */
export interface WriteResult {
  readonly etag: string;
  readonly headers: Headers;
}

export interface GetObjectRequest extends ObjectAddress {
  readonly range?: ByteRange;
  /**
   * Instead of a range: one part of an object that was uploaded in parts, counted from 1. The answer of an object of several
   * parts has the header `x-amz-mp-parts-count`; any other object is one part.
   */
  readonly partNumber?: number;
  readonly conditions?: Conditions;
}

export interface ObjectHead {
  readonly etag: string;
  readonly lastModified: string; // HTTP date
  /** Size of the whole stored object in bytes, also for a ranged answer. */
  readonly sizeBytes: number;
  readonly headers: Headers;
}

export interface ObjectBody extends ObjectHead {
  /** Position in the stored object of the body's first byte, and the body's length. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** Consume it or call `discard`, else a connection stays taken. A connection that breaks makes the iteration throw. */
  readonly body: ByteStream;
  discard(): Promise<void>;
}

/** Whether a copy takes something over from its source, or has it replaced by what the request gives. */
export type CopyDirective = 'COPY' | 'REPLACE';

export interface CopyObjectRequest {
  readonly bucket: string;
  readonly key: string;
  readonly source: ObjectAddress;
  /** About the source: whichever of them does not hold, it is PreconditionFailed. */
  readonly sourceConditions?: Conditions;
  /** About what stands at the destination. */
  readonly conditions?: Conditions;
  /** Of system headers and user metadata; storage class, ACL, lock and redirect are never taken over. */
  readonly metadata: CopyDirective;
  readonly tags: CopyDirective;
  /** What the directives leave to the request. */
  readonly headers: Headers;
}

/** Answer of a copy; the ETag is that of the new object. */
export interface CopyResult extends WriteResult {
  readonly lastModified: string; // ISO 8601
}

export interface ListObjectsRequest {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly maxKeys?: number;
  /** Version 1 lists after `marker`; version 2 after `startAfter` or on from `continuationToken`. */
  readonly version: 1 | 2;
  readonly marker?: string;
  readonly startAfter?: string;
  readonly continuationToken?: string;
  readonly fetchOwner?: boolean;
}

export interface ListedObject {
  readonly key: string;
  readonly lastModified: string; // ISO 8601
  readonly etag: string;
  readonly sizeBytes: number;
  readonly storageClass?: string;
  readonly owner?: { readonly id: string; readonly displayName?: string };
}

export interface ListObjectsResult {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextMarker?: string; // version 1, with a delimiter
  readonly nextContinuationToken?: string; // version 2
}

export interface DeleteResult {
  readonly headers: Headers; // x-amz-version-id, x-amz-delete-marker
}

export interface DeleteObjectsRequest {
  readonly bucket: string;
  readonly objects: readonly { readonly key: string; readonly versionId?: string }[];
  /** e.g. x-amz-bypass-governance-retention, x-amz-mfa */
  readonly headers?: Headers;
}

/** One outcome per object of the request, in any order. `errorCode` is set on failure. */
export interface DeletedObject {
  readonly key: string;
  readonly versionId?: string;
  readonly deleteMarker?: boolean;
  readonly deleteMarkerVersionId?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

export interface UploadAddress {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

export interface CreateUploadRequest {
  readonly bucket: string;
  readonly key: string;
  readonly headers: Headers;
}

export interface UploadPartRequest extends UploadAddress {
  readonly partNumber: number;
  readonly body: ByteStream;
  readonly lengthBytes: number;
}

export interface CopyPartRequest extends UploadAddress {
  readonly partNumber: number;
  readonly source: ObjectAddress;
  /** About the source: whichever of them does not hold, it is PreconditionFailed. */
  readonly sourceConditions?: Conditions;
  /** Of the source, in bytes, both ends included and within it; else all of it. */
  readonly range?: { readonly first: number; readonly last: number };
}

export interface CompletedPart {
  readonly partNumber: number;
  readonly etag: string;
}

export interface CompleteUploadRequest extends UploadAddress {
  readonly parts: readonly CompletedPart[];
  readonly conditions?: Conditions;
}

export interface ListedPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly lastModified: string; // ISO 8601
}

export interface ListPartsResult {
  readonly parts: readonly ListedPart[];
  readonly isTruncated: boolean;
  readonly nextPartNumberMarker?: number;
  readonly storageClass?: string;
}

export interface ListUploadsRequest {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly keyMarker?: string;
  readonly uploadIdMarker?: string;
  readonly maxUploads?: number;
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: string; // ISO 8601
  readonly storageClass?: string;
}

export interface ListUploadsResult {
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextKeyMarker?: string;
  readonly nextUploadIdMarker?: string;
}

export interface ListVersionsRequest {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly maxKeys?: number;
  readonly keyMarker?: string;
  readonly versionIdMarker?: string;
}

/** A version of an object, or a delete marker, which has neither size nor ETag. */
export interface ListedVersion {
  readonly kind: 'version' | 'deleteMarker';
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly lastModified: string; // ISO 8601
  readonly etag: string;
  readonly sizeBytes: number;
  readonly storageClass?: string;
  readonly owner?: { readonly id: string; readonly displayName?: string };
}

export interface ListVersionsResult {
  /** Versions and delete markers in the order of the listing: by key, newest first. */
  readonly versions: readonly ListedVersion[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextKeyMarker?: string;
  readonly nextVersionIdMarker?: string;
}

/** A request about a sub-resource (ACL, tagging, lifecycle …): it carries no object bytes. */
export interface SubResourceRequest {
  /** S3's name of the operation. */
  readonly operation: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly bucket: string;
  readonly key?: string;
  /** Plain values; '' for a parameter without one. */
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Headers;
  /** The request's document, verified; empty where there is none. */
  readonly document: Uint8Array;
}

/** An answer of status 2xx as the store gave it. */
export interface SubResourceAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Consume it or end its iteration; undefined where the answer has no body. */
  readonly body?: ByteStream;
  /** Of the body, where the store said it. */
  readonly lengthBytes?: number;
}

/**
 * Port to where ciphertext lives: an S3 provider or the embedded filesystem store.
 * Invariants, checked by `test/contract/object-store.ts`:
 * - Every failure is an `S3Error` (src/s3/s3-error.ts) with S3's own code and status: NoSuchKey, NoSuchBucket,
 *   PreconditionFailed (412), NotModified (304), InvalidRange, BucketNotEmpty, NoSuchUpload, EntityTooSmall, …
 * - Keys are arbitrary strings of 1 to 1 024 UTF-8 bytes; nothing is normalised. Listings come in UTF-8 byte order.
 * - Read-after-write, list-after-write; a put is visible whole or not at all; conditions are evaluated atomically.
 * - A body that ends early, ends late or throws leaves the old object (or part) in place.
 */
export interface ObjectStore {
  /** `s3` or `filesystem`. */
  readonly kind: string;
  /**
   * The same store for calls that hold only if this account owns the bucket (`x-amz-expected-bucket-owner`), which is the
   * provider's to compare. It is not to be closed. A store without accounts gives itself.
   */
  expectingOwner(owner: string): ObjectStore;
  listBuckets(options?: CallOptions): Promise<readonly BucketEntry[]>;
  createBucket(
    bucket: string,
    request: { readonly headers?: Headers; readonly locationConstraint?: string },
    options?: CallOptions,
  ): Promise<void>;
  headBucket(bucket: string, options?: CallOptions): Promise<{ readonly headers: Headers }>;
  deleteBucket(bucket: string, options?: CallOptions): Promise<void>;
  /** The location constraint; empty for us-east-1. */
  getBucketLocation(bucket: string, options?: CallOptions): Promise<string>;

  putObject(request: PutObjectRequest, options?: CallOptions): Promise<WriteResult>;
  getObject(request: GetObjectRequest, options?: CallOptions): Promise<ObjectBody>;
  headObject(request: ObjectAddress & { readonly conditions?: Conditions }, options?: CallOptions): Promise<ObjectHead>;
  /**
   * Copies within the store: no byte passes through the caller. An object may be copied onto itself where that changes
   * something.
   */
  copyObject(request: CopyObjectRequest, options?: CallOptions): Promise<CopyResult>;
  /** Deleting what is not there succeeds. */
  deleteObject(
    request: ObjectAddress & { readonly headers?: Headers; readonly conditions?: Conditions },
    options?: CallOptions,
  ): Promise<DeleteResult>;
  deleteObjects(request: DeleteObjectsRequest, options?: CallOptions): Promise<readonly DeletedObject[]>;
  listObjects(request: ListObjectsRequest, options?: CallOptions): Promise<ListObjectsResult>;

  /** A store without versions gives every object as its only version, "null". */
  listVersions(request: ListVersionsRequest, options?: CallOptions): Promise<ListVersionsResult>;
  /** Sub-resources that the store does not have are NotImplemented. */
  subResource(request: SubResourceRequest, options?: CallOptions): Promise<SubResourceAnswer>;

  createUpload(
    request: CreateUploadRequest,
    options?: CallOptions,
  ): Promise<{ readonly uploadId: string; readonly headers: Headers }>;
  uploadPart(request: UploadPartRequest, options?: CallOptions): Promise<WriteResult>;
  /** As `copyObject`: no byte passes through the caller. */
  copyPart(request: CopyPartRequest, options?: CallOptions): Promise<CopyResult>;
  /** Completing an upload that is already complete may answer NoSuchUpload. */
  completeUpload(request: CompleteUploadRequest, options?: CallOptions): Promise<WriteResult>;
  abortUpload(address: UploadAddress, options?: CallOptions): Promise<void>;
  listParts(
    request: UploadAddress & { readonly maxParts?: number; readonly partNumberMarker?: number },
    options?: CallOptions,
  ): Promise<ListPartsResult>;
  listUploads(request: ListUploadsRequest, options?: CallOptions): Promise<ListUploadsResult>;

  health(options?: CallOptions): Promise<Health>;
  close(): Promise<void>;
}
