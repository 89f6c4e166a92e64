import { forwardedOperations, type ForwardedOperation } from './forwarded-operations.ts';
import { shapeOf, type OperationAction, type OperationShape, type Route } from './operation-shape.ts';

export { forwardedOperations, type ForwardedOperation } from './forwarded-operations.ts';
export type { OperationLevel } from './operation-shape.ts';

/**
 * How an operation is served: `encrypted` — the object's data, size or ETag is translated; `gateway` — put together
 * by the gateway itself; `forwarded` — passed to the backend as it is.
 */
export type OperationHandling = 'encrypted' | 'gateway' | 'forwarded';

interface ServedShape extends OperationShape {
  /** Name in the S3 API. */
  readonly operation: string;
  readonly handling: OperationHandling;
  /** Further query parameters that the operation takes. */
  readonly optionalQuery: readonly string[];
}

/** An operation of S3 that is answered 501. */
export interface RefusedOperation extends OperationShape {
  readonly operation: string;
  readonly handling: 'refused';
  readonly reason: string;
}

/** Query parameters of GetObject and HeadObject that set headers of the answer. */
export const overrideParameters = [
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
] as const;

/** Every operation that the gateway serves. */
export const servedOperations = [
  {
    operation: 'ListBuckets',
    method: 'GET',
    level: 'service',
    query: {},
    optionalQuery: ['bucket-region', 'continuation-token', 'max-buckets', 'prefix'],
    handling: 'gateway',
    action: 'list',
  },
  {
    operation: 'CreateBucket',
    method: 'PUT',
    level: 'bucket',
    query: {},
    optionalQuery: [],
    handling: 'forwarded',
    action: 'admin',
  },
  {
    operation: 'HeadBucket',
    method: 'HEAD',
    level: 'bucket',
    query: {},
    optionalQuery: [],
    handling: 'forwarded',
    action: 'list',
  },
  {
    operation: 'DeleteBucket',
    method: 'DELETE',
    level: 'bucket',
    query: {},
    optionalQuery: [],
    handling: 'gateway',
    action: 'admin',
  },
  {
    operation: 'GetBucketLocation',
    method: 'GET',
    level: 'bucket',
    query: { location: true },
    optionalQuery: [],
    handling: 'forwarded',
    action: 'list',
  },
  {
    operation: 'PreflightRequest',
    method: 'OPTIONS',
    level: 'bucket',
    query: {},
    optionalQuery: [],
    handling: 'gateway',
    action: 'read',
  },
  {
    operation: 'PreflightRequest',
    method: 'OPTIONS',
    level: 'object',
    query: {},
    optionalQuery: [],
    handling: 'gateway',
    action: 'read',
  },
  {
    operation: 'ListObjects',
    method: 'GET',
    level: 'bucket',
    query: {},
    optionalQuery: ['delimiter', 'encoding-type', 'marker', 'max-keys', 'prefix'],
    handling: 'encrypted',
    action: 'list',
  },
  {
    operation: 'ListObjectsV2',
    method: 'GET',
    level: 'bucket',
    query: { 'list-type': '2' },
    optionalQuery: [
      'continuation-token',
      'delimiter',
      'encoding-type',
      'fetch-owner',
      'max-keys',
      'prefix',
      'start-after',
    ],
    handling: 'encrypted',
    action: 'list',
  },
  {
    operation: 'ListObjectVersions',
    method: 'GET',
    level: 'bucket',
    query: { versions: true },
    optionalQuery: ['delimiter', 'encoding-type', 'key-marker', 'max-keys', 'prefix', 'version-id-marker'],
    handling: 'encrypted',
    action: 'list',
  },
  {
    operation: 'ListMultipartUploads',
    method: 'GET',
    level: 'bucket',
    query: { uploads: true },
    optionalQuery: ['delimiter', 'encoding-type', 'key-marker', 'max-uploads', 'prefix', 'upload-id-marker'],
    handling: 'gateway',
    action: 'list',
  },
  {
    operation: 'DeleteObjects',
    method: 'POST',
    level: 'bucket',
    query: { delete: true },
    optionalQuery: [],
    handling: 'forwarded',
    action: 'delete',
  },
  {
    operation: 'PutObject',
    method: 'PUT',
    level: 'object',
    query: {},
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'CopyObject',
    method: 'PUT',
    level: 'object',
    query: {},
    header: 'x-amz-copy-source',
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'PostObject',
    method: 'POST',
    level: 'bucket',
    query: {},
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'GetObject',
    method: 'GET',
    level: 'object',
    query: {},
    optionalQuery: ['partNumber', 'versionId', ...overrideParameters],
    handling: 'encrypted',
    action: 'read',
  },
  {
    operation: 'HeadObject',
    method: 'HEAD',
    level: 'object',
    query: {},
    optionalQuery: ['partNumber', 'versionId', ...overrideParameters],
    handling: 'encrypted',
    action: 'read',
  },
  {
    operation: 'GetObjectAttributes',
    method: 'GET',
    level: 'object',
    query: { attributes: true },
    optionalQuery: ['versionId'],
    handling: 'encrypted',
    action: 'read',
  },
  {
    operation: 'DeleteObject',
    method: 'DELETE',
    level: 'object',
    query: {},
    optionalQuery: ['versionId'],
    handling: 'forwarded',
    action: 'delete',
  },
  {
    operation: 'CreateMultipartUpload',
    method: 'POST',
    level: 'object',
    query: { uploads: true },
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'UploadPart',
    method: 'PUT',
    level: 'object',
    query: { partNumber: true, uploadId: true },
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'UploadPartCopy',
    method: 'PUT',
    level: 'object',
    query: { partNumber: true, uploadId: true },
    header: 'x-amz-copy-source',
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'CompleteMultipartUpload',
    method: 'POST',
    level: 'object',
    query: { uploadId: true },
    optionalQuery: [],
    handling: 'encrypted',
    action: 'write',
  },
  {
    operation: 'AbortMultipartUpload',
    method: 'DELETE',
    level: 'object',
    query: { uploadId: true },
    optionalQuery: [],
    handling: 'gateway',
    action: 'write',
  },
  {
    operation: 'ListParts',
    method: 'GET',
    level: 'object',
    query: { uploadId: true },
    optionalQuery: ['max-parts', 'part-number-marker'],
    handling: 'gateway',
    action: 'write',
  },
] as const satisfies readonly ServedShape[];

/** Name of an operation that is served. */
export type ServedOperationName = (typeof servedOperations)[number]['operation'];

/** An operation that is served. */
export interface ServedOperation extends ServedShape {
  readonly operation: ServedOperationName;
}

const directoryBuckets = 'directory buckets are not supported';

/** Every other operation of the S3 API: known, so that none of them is taken for a neighbour, and answered 501. */
export const refusedOperations: readonly RefusedOperation[] = [
  refused('ListDirectoryBuckets', 'GET service max-directory-buckets', 'list', directoryBuckets),
  refused('CreateSession', 'GET bucket session', 'read', directoryBuckets),
  refused('RenameObject', 'PUT object renameObject', 'write', directoryBuckets),
  refused('GetObjectTorrent', 'GET object torrent', 'read', 'a torrent would name the ciphertext'),
  refused('SelectObjectContent', 'POST object select', 'read', 'the backend cannot query ciphertext'),
  refused(
    'UpdateObjectEncryption',
    'PUT object encryption',
    'write',
    'the gateway encrypts objects; copy an object onto itself, with new metadata, to bring it under the current key',
  ),
];

/** The whole table. */
export const operationTable: readonly (ServedOperation | ForwardedOperation | RefusedOperation)[] = [
  ...servedOperations,
  ...forwardedOperations,
  ...refusedOperations,
];

function refused(operation: string, route: Route, action: OperationAction, reason: string): RefusedOperation {
  return { operation, ...shapeOf(route), handling: 'refused', reason, action };
}
