import { shapeOf, type OperationAction, type OperationShape, type Route } from './operation-shape.ts';

/** A sub-resource that carries no object bytes: the backend's own answer is the client's. */
export interface ForwardedOperation extends OperationShape {
  readonly operation: string;
  readonly handling: 'forwarded';
  /** Further query parameters that the operation takes. */
  readonly optionalQuery: readonly string[];
}

/** Every operation that is passed to the backend as it is: verified, signed anew, its answer streamed back. */
export const forwardedOperations: readonly ForwardedOperation[] = [...bucketRows(), ...objectRows()];

function bucketRows(): readonly ForwardedOperation[] {
  const plain: readonly (readonly [operation: string, route: Route])[] = [
    ['CreateBucketMetadataConfiguration', 'POST bucket metadataConfiguration'],
    ['CreateBucketMetadataTableConfiguration', 'POST bucket metadataTable'],
    ['DeleteBucketCors', 'DELETE bucket cors'],
    ['DeleteBucketEncryption', 'DELETE bucket encryption'],
    ['DeleteBucketLifecycle', 'DELETE bucket lifecycle'],
    ['DeleteBucketMetadataConfiguration', 'DELETE bucket metadataConfiguration'],
    ['DeleteBucketMetadataTableConfiguration', 'DELETE bucket metadataTable'],
    ['DeleteBucketOwnershipControls', 'DELETE bucket ownershipControls'],
    ['DeleteBucketPolicy', 'DELETE bucket policy'],
    ['DeleteBucketReplication', 'DELETE bucket replication'],
    ['DeleteBucketTagging', 'DELETE bucket tagging'],
    ['DeleteBucketWebsite', 'DELETE bucket website'],
    ['DeletePublicAccessBlock', 'DELETE bucket publicAccessBlock'],
    ['GetBucketAbac', 'GET bucket abac'],
    ['GetBucketAccelerateConfiguration', 'GET bucket accelerate'],
    ['GetBucketAcl', 'GET bucket acl'],
    ['GetBucketCors', 'GET bucket cors'],
    ['GetBucketEncryption', 'GET bucket encryption'],
    ['GetBucketLifecycleConfiguration', 'GET bucket lifecycle'],
    ['GetBucketLogging', 'GET bucket logging'],
    ['GetBucketMetadataConfiguration', 'GET bucket metadataConfiguration'],
    ['GetBucketMetadataTableConfiguration', 'GET bucket metadataTable'],
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
    ['PutBucketAbac', 'PUT bucket abac'],
    ['PutBucketAccelerateConfiguration', 'PUT bucket accelerate'],
    ['PutBucketAcl', 'PUT bucket acl'],
    ['PutBucketCors', 'PUT bucket cors'],
    ['PutBucketEncryption', 'PUT bucket encryption'],
    ['PutBucketLifecycleConfiguration', 'PUT bucket lifecycle'],
    ['PutBucketLogging', 'PUT bucket logging'],
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
  // Configurations of which a bucket has several, each with an id.
  const numbered = [
    ['Analytics', 'analytics'],
    ['IntelligentTiering', 'intelligent-tiering'],
    ['Inventory', 'inventory'],
    ['Metrics', 'metrics'],
  ] as const;
  return [
    ...plain.map(([operation, route]) => forwarded(operation, route, 'admin')),
    ...numbered.flatMap(([name, parameter]) => [
      forwarded(`DeleteBucket${name}Configuration`, `DELETE bucket ${parameter} id`, 'admin'),
      forwarded(`GetBucket${name}Configuration`, `GET bucket ${parameter} id`, 'admin'),
      forwarded(`ListBucket${name}Configurations`, `GET bucket ${parameter}`, 'admin', ['continuation-token']),
      forwarded(`PutBucket${name}Configuration`, `PUT bucket ${parameter} id`, 'admin'),
    ]),
  ];
}

function objectRows(): readonly ForwardedOperation[] {
  const rows: readonly (readonly [operation: string, route: Route, action: OperationAction])[] = [
    ['GetObjectAcl', 'GET object acl', 'read'],
    ['PutObjectAcl', 'PUT object acl', 'write'],
    ['GetObjectTagging', 'GET object tagging', 'read'],
    ['PutObjectTagging', 'PUT object tagging', 'write'],
    ['DeleteObjectTagging', 'DELETE object tagging', 'write'],
    ['GetObjectLegalHold', 'GET object legal-hold', 'read'],
    ['PutObjectLegalHold', 'PUT object legal-hold', 'write'],
    ['GetObjectRetention', 'GET object retention', 'read'],
    ['PutObjectRetention', 'PUT object retention', 'write'],
    ['RestoreObject', 'POST object restore', 'write'],
  ];
  return rows.map(([operation, route, action]) => forwarded(operation, route, action, ['versionId']));
}

function forwarded(
  operation: string,
  route: Route,
  action: OperationAction,
  optionalQuery: readonly string[] = [],
): ForwardedOperation {
  return { operation, ...shapeOf(route), handling: 'forwarded', optionalQuery, action };
}
