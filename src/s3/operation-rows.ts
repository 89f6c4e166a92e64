/** What a request's path names. */
export type OperationLevel = 'service' | 'bucket' | 'object';

/** What a credential must be allowed to do for an operation. */
export type OperationAction = 'read' | 'write' | 'delete' | 'list' | 'admin';

/**
 * How an operation is served: `encrypted` — the object's data, size or ETag is translated; `gateway` — put together
 * by the gateway itself; `forwarded` — passed to the backend as it is.
 */
export type OperationHandling = 'encrypted' | 'gateway' | 'forwarded';

interface OperationShape {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
  readonly level: OperationLevel;
  /** Query parameters that make it this operation: `true` for any value, else the exact value. */
  readonly query: Readonly<Record<string, true | string>>;
  /** Header (lower-case) that makes it this operation. */
  readonly header?: string;
  readonly action: OperationAction;
}

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
    operation: 'GetObject',
    method: 'GET',
    level: 'object',
    query: {},
    optionalQuery: ['versionId', ...overrideParameters],
    handling: 'encrypted',
    action: 'read',
  },
  {
    operation: 'HeadObject',
    method: 'HEAD',
    level: 'object',
    query: {},
    optionalQuery: ['versionId', ...overrideParameters],
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

/** `GET` etc. with the sub-resources that make the request, e.g. `PUT bucket acl` or `GET bucket metrics id`. */
type Route = `${OperationShape['method']} ${OperationLevel}${string}`;

const notYet = 'not supported yet';

const bucketConfiguration: readonly (readonly [operation: string, route: Route])[] = [
  ['CreateBucketMetadataConfiguration', 'POST bucket metadataConfiguration'],
  ['CreateBucketMetadataTableConfiguration', 'POST bucket metadataTable'],
  ['DeleteBucketAnalyticsConfiguration', 'DELETE bucket analytics'],
  ['DeleteBucketCors', 'DELETE bucket cors'],
  ['DeleteBucketEncryption', 'DELETE bucket encryption'],
  ['DeleteBucketIntelligentTieringConfiguration', 'DELETE bucket intelligent-tiering'],
  ['DeleteBucketInventoryConfiguration', 'DELETE bucket inventory'],
  ['DeleteBucketLifecycle', 'DELETE bucket lifecycle'],
  ['DeleteBucketMetadataConfiguration', 'DELETE bucket metadataConfiguration'],
  ['DeleteBucketMetadataTableConfiguration', 'DELETE bucket metadataTable'],
  ['DeleteBucketMetricsConfiguration', 'DELETE bucket metrics'],
  ['DeleteBucketOwnershipControls', 'DELETE bucket ownershipControls'],
  ['DeleteBucketPolicy', 'DELETE bucket policy'],
  ['DeleteBucketReplication', 'DELETE bucket replication'],
  ['DeleteBucketTagging', 'DELETE bucket tagging'],
  ['DeleteBucketWebsite', 'DELETE bucket website'],
  ['DeletePublicAccessBlock', 'DELETE bucket publicAccessBlock'],
  ['GetBucketAbac', 'GET bucket abac'],
  ['GetBucketAccelerateConfiguration', 'GET bucket accelerate'],
  ['GetBucketAcl', 'GET bucket acl'],
  ['GetBucketAnalyticsConfiguration', 'GET bucket analytics id'],
  ['GetBucketCors', 'GET bucket cors'],
  ['GetBucketEncryption', 'GET bucket encryption'],
  ['GetBucketIntelligentTieringConfiguration', 'GET bucket intelligent-tiering id'],
  ['GetBucketInventoryConfiguration', 'GET bucket inventory id'],
  ['GetBucketLifecycleConfiguration', 'GET bucket lifecycle'],
  ['GetBucketLogging', 'GET bucket logging'],
  ['GetBucketMetadataConfiguration', 'GET bucket metadataConfiguration'],
  ['GetBucketMetadataTableConfiguration', 'GET bucket metadataTable'],
  ['GetBucketMetricsConfiguration', 'GET bucket metrics id'],
  ['GetBucketNotificationConfiguration', 'GET bucket notification'],
  ['GetBucketOwnershipControls', 'GET bucket ownershipControls'],
  ['GetBucketPolicy', 'GET bucket policy'],
  ['GetBucketPolicyStatus', 'GET bucket policyStatus'],
  ['GetBucketReplication', 'GET bucket replication'],
  ['GetBucketRequestPayment', 'GET bucket requestPayment'],
  ['GetBucketTagging', 'GET bucket tagging'],
  ['GetBucketVersioning', 'GET bucket versioning'],
  ['GetBucketWebsite', 'GET bucket website'],
  ['GetObjectLockConfiguration', 'GET bucket object-lock'],
  ['GetPublicAccessBlock', 'GET bucket publicAccessBlock'],
  ['ListBucketAnalyticsConfigurations', 'GET bucket analytics'],
  ['ListBucketIntelligentTieringConfigurations', 'GET bucket intelligent-tiering'],
  ['ListBucketInventoryConfigurations', 'GET bucket inventory'],
  ['ListBucketMetricsConfigurations', 'GET bucket metrics'],
  ['PutBucketAbac', 'PUT bucket abac'],
  ['PutBucketAccelerateConfiguration', 'PUT bucket accelerate'],
  ['PutBucketAcl', 'PUT bucket acl'],
  ['PutBucketAnalyticsConfiguration', 'PUT bucket analytics'],
  ['PutBucketCors', 'PUT bucket cors'],
  ['PutBucketEncryption', 'PUT bucket encryption'],
  ['PutBucketIntelligentTieringConfiguration', 'PUT bucket intelligent-tiering'],
  ['PutBucketInventoryConfiguration', 'PUT bucket inventory'],
  ['PutBucketLifecycleConfiguration', 'PUT bucket lifecycle'],
  ['PutBucketLogging', 'PUT bucket logging'],
  ['PutBucketMetricsConfiguration', 'PUT bucket metrics'],
  ['PutBucketNotificationConfiguration', 'PUT bucket notification'],
  ['PutBucketOwnershipControls', 'PUT bucket ownershipControls'],
  ['PutBucketPolicy', 'PUT bucket policy'],
  ['PutBucketReplication', 'PUT bucket replication'],
  ['PutBucketRequestPayment', 'PUT bucket requestPayment'],
  ['PutBucketTagging', 'PUT bucket tagging'],
  ['PutBucketVersioning', 'PUT bucket versioning'],
  ['PutBucketWebsite', 'PUT bucket website'],
  ['PutObjectLockConfiguration', 'PUT bucket object-lock'],
  ['PutPublicAccessBlock', 'PUT bucket publicAccessBlock'],
  ['UpdateBucketMetadataInventoryTableConfiguration', 'PUT bucket metadataInventoryTable'],
  ['UpdateBucketMetadataJournalTableConfiguration', 'PUT bucket metadataJournalTable'],
];

/** Every other operation of the S3 API: known, so that none of them is taken for a neighbour, and answered 501. */
export const refusedOperations: readonly RefusedOperation[] = [
  ...bucketConfiguration.map(([operation, route]) => refused(operation, route, 'admin')),
  refused('ListDirectoryBuckets', 'GET service max-directory-buckets', 'list'),
  refused('CreateSession', 'GET bucket session', 'read'),
  refused('ListObjectVersions', 'GET bucket versions', 'list'),
  refused('PostObject', 'POST bucket', 'write', { reason: 'form uploads are not supported yet' }),
  refused('PreflightRequest', 'OPTIONS bucket', 'read', { reason: 'CORS is not supported yet' }),
  refused('PreflightRequest', 'OPTIONS object', 'read', { reason: 'CORS is not supported yet' }),
  refused('CopyObject', 'PUT object', 'write', { header: 'x-amz-copy-source' }),
  refused('UploadPartCopy', 'PUT object partNumber uploadId', 'write', { header: 'x-amz-copy-source' }),
  refused('RenameObject', 'PUT object renameObject', 'write'),
  refused('GetObject', 'GET object partNumber', 'read', { reason: 'reading single parts is not supported yet' }),
  refused('HeadObject', 'HEAD object partNumber', 'read', { reason: 'reading single parts is not supported yet' }),
  refused('GetObjectAttributes', 'GET object attributes', 'read'),
  refused('GetObjectAcl', 'GET object acl', 'read'),
  refused('PutObjectAcl', 'PUT object acl', 'write'),
  refused('GetObjectTagging', 'GET object tagging', 'read'),
  refused('PutObjectTagging', 'PUT object tagging', 'write'),
  refused('DeleteObjectTagging', 'DELETE object tagging', 'write'),
  refused('GetObjectLegalHold', 'GET object legal-hold', 'read'),
  refused('PutObjectLegalHold', 'PUT object legal-hold', 'write'),
  refused('GetObjectRetention', 'GET object retention', 'read'),
  refused('PutObjectRetention', 'PUT object retention', 'write'),
  refused('GetObjectTorrent', 'GET object torrent', 'read', { reason: 'a torrent would name the ciphertext' }),
  refused('RestoreObject', 'POST object restore', 'write'),
  refused('SelectObjectContent', 'POST object select', 'read', { reason: 'the backend cannot query ciphertext' }),
  refused('UpdateObjectEncryption', 'PUT object encryption', 'write'),
];

/** The whole table. */
export const operationTable: readonly (ServedOperation | RefusedOperation)[] = [
  ...servedOperations,
  ...refusedOperations,
];

function refused(
  operation: string,
  route: Route,
  action: OperationAction,
  options: { readonly reason?: string; readonly header?: string } = {},
): RefusedOperation {
  const [method = '', level = '', ...parameters] = route.split(' ');
  if (!isMethod(method) || !isLevel(level)) throw new TypeError(`not a route: ${route}`);
  return {
    operation,
    method,
    level,
    query: Object.fromEntries(parameters.map((parameter) => [parameter, true])),
    ...(options.header === undefined ? {} : { header: options.header }),
    handling: 'refused',
    reason: options.reason ?? notYet,
    action,
  };
}

function isMethod(text: string): text is OperationShape['method'] {
  return ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'].includes(text);
}

function isLevel(text: string): text is OperationLevel {
  return ['service', 'bucket', 'object'].includes(text);
}
