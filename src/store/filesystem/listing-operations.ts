import { s3Error } from '../../s3/s3-error.ts';
import type {
  ListedObject,
  ListObjectsRequest,
  ListObjectsResult,
  ListUploadsRequest,
  ListUploadsResult,
  ListVersionsRequest,
  ListVersionsResult,
} from '../object-store.ts';
import { isoTime, pageSize } from './names.ts';
import type { ObjectEntry } from './object-index.ts';
import { behind, rollUp, type RollUpRequest } from './roll-up.ts';
import type { StoreParts } from './store-parts.ts';

const storageClass = 'STANDARD';
const owner = { id: 's3eg', displayName: 's3eg' };

/** Listings of objects and of open uploads: UTF-8 byte order, a page costs as many seeks as it has items. */
export class ListingOperations {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  objects(request: ListObjectsRequest): ListObjectsResult {
    const { database, buckets, objects } = this.#parts;
    const marker = objectsMarker(request);
    const rollUpRequest = {
      prefix: Buffer.from(request.prefix ?? ''),
      delimiter: Buffer.from(request.delimiter ?? ''),
      ...(marker === undefined ? {} : { marker }),
      start: { key: marker === undefined ? Buffer.alloc(0) : behind(marker), id: '' },
      limit: pageSize(request.maxKeys, 'max-keys'),
    };
    const page = database.read(() => {
      const bucketId = buckets.require(request.bucket).id;
      return rollUp(rollUpRequest, (start, end) => objects.walk(bucketId, start, end));
    });
    const last = page.last === undefined || Buffer.isBuffer(page.last) ? page.last : page.last.key;
    const showOwner = request.version === 1 || request.fetchOwner === true;
    return {
      objects: page.entries.map((entry) => listedObject(entry, showOwner)),
      commonPrefixes: page.commonPrefixes.map(String),
      isTruncated: page.isTruncated,
      ...(page.isTruncated && last !== undefined ? continuation(request, last) : {}),
    };
  }

  /** Every object is its only version, "null". */
  versions(request: ListVersionsRequest): ListVersionsResult {
    const { bucket, prefix, delimiter, maxKeys, keyMarker, versionIdMarker } = request;
    // A marker that names a version leaves those of the same key that come later; "null" is the last.
    const isBefore = keyMarker !== undefined && versionIdMarker !== undefined && versionIdMarker !== 'null';
    if (isBefore) throw s3Error('InvalidArgument', 'Invalid version id specified');
    const page = this.objects({
      bucket,
      version: 1,
      ...(prefix === undefined ? {} : { prefix }),
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(maxKeys === undefined ? {} : { maxKeys }),
      ...(keyMarker === undefined ? {} : { marker: keyMarker }),
    });
    const last = page.nextMarker ?? page.objects.at(-1)?.key;
    return {
      versions: page.objects.map((object) => ({ ...object, kind: 'version', versionId: 'null', isLatest: true })),
      commonPrefixes: page.commonPrefixes,
      isTruncated: page.isTruncated,
      ...(page.isTruncated && last !== undefined ? { nextKeyMarker: last } : {}),
      ...(page.isTruncated && page.objects.at(-1)?.key === last ? { nextVersionIdMarker: 'null' } : {}),
    };
  }

  uploads(request: ListUploadsRequest): ListUploadsResult {
    const { database, buckets, uploads } = this.#parts;
    const page = database.read(() => {
      const bucketId = buckets.require(request.bucket).id;
      return rollUp(uploadsRollUp(request), (start, end) => uploads.walk(bucketId, start, end));
    });
    return {
      uploads: page.entries.map((entry) => ({
        key: String(entry.key),
        uploadId: entry.id,
        initiated: isoTime(entry.initiatedMs),
        storageClass,
      })),
      commonPrefixes: page.commonPrefixes.map(String),
      isTruncated: page.isTruncated,
      ...(page.isTruncated && page.last !== undefined ? nextUploadMarkers(page.last) : {}),
    };
  }
}

function nextUploadMarkers(last: Buffer | { readonly key: Buffer; readonly id: string }) {
  return Buffer.isBuffer(last)
    ? { nextKeyMarker: String(last) }
    : { nextKeyMarker: String(last.key), nextUploadIdMarker: last.id };
}

function uploadsRollUp(request: ListUploadsRequest): RollUpRequest {
  const marker = Buffer.from(request.keyMarker ?? '');
  const idMarker = request.uploadIdMarker ?? '';
  // Without an upload id all uploads of the marker's key are done with; with one, those with larger ids are left.
  const start = idMarker === '' ? { key: behind(marker), id: '' } : { key: marker, id: idMarker };
  return {
    prefix: Buffer.from(request.prefix ?? ''),
    delimiter: Buffer.from(request.delimiter ?? ''),
    ...(marker.length === 0 ? {} : { marker }),
    start: marker.length === 0 ? { key: marker, id: '' } : start,
    limit: pageSize(request.maxUploads, 'max-uploads'),
  };
}

/** What the page begins after. The continuation token wins over startAfter, as in S3. */
function objectsMarker(request: ListObjectsRequest): Buffer | undefined {
  if (request.version === 2 && request.continuationToken !== undefined) return parseToken(request.continuationToken);
  const after = request.version === 1 ? request.marker : request.startAfter;
  return after === undefined || after === '' ? undefined : Buffer.from(after);
}

function continuation(request: ListObjectsRequest, last: Buffer): Partial<ListObjectsResult> {
  if (request.version === 2) return { nextContinuationToken: `1${last.toString('base64url')}` };
  // S3 gives NextMarker only with a delimiter; without one the last key says it.
  return (request.delimiter ?? '') === '' ? {} : { nextMarker: String(last) };
}

/** Opaque to clients: a version digit, then the last item of the page before. */
function parseToken(token: string): Buffer {
  if (!/^1[\w-]{1,1400}$/.test(token)) {
    throw s3Error('InvalidArgument', 'The continuation token provided is incorrect', {
      details: { ArgumentName: 'continuation-token' },
    });
  }
  return Buffer.from(token.slice(1), 'base64url');
}

function listedObject(entry: ObjectEntry, showOwner: boolean): ListedObject {
  return {
    key: String(entry.key),
    lastModified: isoTime(entry.modifiedMs),
    etag: entry.etag,
    sizeBytes: entry.sizeBytes,
    storageClass,
    ...(showOwner ? { owner } : {}),
  };
}
