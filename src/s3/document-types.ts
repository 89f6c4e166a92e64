/** Owner or initiator; the id is opaque. */
export interface Owner {
  readonly id: string;
  readonly displayName?: string;
}

export interface BucketEntry {
  readonly name: string;
  readonly creationDate: string; // ISO 8601
  /** Where the backend tells it. */
  readonly region?: string;
}

export interface ListedObject {
  readonly key: string;
  readonly lastModified: string; // ISO 8601
  readonly etag: string;
  readonly sizeBytes: number;
  readonly storageClass?: string;
  readonly owner?: Owner;
}

export interface ObjectsPage {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextMarker?: string; // version 1
  readonly nextContinuationToken?: string; // version 2
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
  readonly owner?: Owner;
}

export interface VersionsPage {
  readonly versions: readonly ListedVersion[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextKeyMarker?: string;
  readonly nextVersionIdMarker?: string;
}

export interface ListedPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly lastModified: string; // ISO 8601
  /** By element name, e.g. `ChecksumCRC32C`; base64. */
  readonly checksums?: Readonly<Record<string, string>>;
}

export interface PartsPage {
  readonly parts: readonly ListedPart[];
  readonly isTruncated: boolean;
  readonly nextPartNumberMarker?: number;
  readonly storageClass?: string;
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: string; // ISO 8601
  readonly storageClass?: string;
}

export interface UploadsPage {
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextKeyMarker?: string;
  readonly nextUploadIdMarker?: string;
}

/** One outcome of DeleteObjects; `errorCode` is set on failure. */
export interface DeletedObject {
  readonly key: string;
  readonly versionId?: string;
  readonly deleteMarker?: boolean;
  readonly deleteMarkerVersionId?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}
