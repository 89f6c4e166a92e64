import type { ServedOperationName } from '../s3/operation-table.ts';
import { abortMultipartUpload } from './abort-multipart-upload.ts';
import { createBucket, deleteBucket, getBucketLocation, headBucket } from './buckets.ts';
import { completeMultipartUpload } from './complete-multipart-upload.ts';
import { createMultipartUpload } from './create-multipart-upload.ts';
import { deleteObject } from './delete-object.ts';
import { deleteObjects } from './delete-objects.ts';
import type { BucketRequest, Gateway, ObjectRequest, OperationResult, ServiceRequest } from './gateway.ts';
import { getObject } from './get-object.ts';
import { headObject } from './head-object.ts';
import { listBuckets } from './list-buckets.ts';
import { listMultipartUploads } from './list-multipart-uploads.ts';
import { listObjects, listObjectsV2 } from './list-objects.ts';
import { listParts } from './list-parts.ts';
import { putObject } from './put-object.ts';
import { uploadPart } from './upload-part.ts';

type Run<Request extends ServiceRequest> = (request: Request, gateway: Gateway) => Promise<OperationResult>;

/** How to run one operation, by what it needs to know. */
export type Operation =
  | { readonly level: 'service'; readonly run: Run<ServiceRequest> }
  | { readonly level: 'bucket'; readonly run: Run<BucketRequest> }
  | { readonly level: 'object'; readonly run: Run<ObjectRequest> };

/** An operation of the table that is not here does not compile. */
const operations: Readonly<Record<ServedOperationName, Operation>> = {
  ListBuckets: { level: 'service', run: listBuckets },
  CreateBucket: { level: 'bucket', run: createBucket },
  DeleteBucket: { level: 'bucket', run: deleteBucket },
  DeleteObjects: { level: 'bucket', run: deleteObjects },
  GetBucketLocation: { level: 'bucket', run: getBucketLocation },
  HeadBucket: { level: 'bucket', run: headBucket },
  ListMultipartUploads: { level: 'bucket', run: listMultipartUploads },
  ListObjects: { level: 'bucket', run: listObjects },
  ListObjectsV2: { level: 'bucket', run: listObjectsV2 },
  AbortMultipartUpload: { level: 'object', run: abortMultipartUpload },
  CompleteMultipartUpload: { level: 'object', run: completeMultipartUpload },
  CreateMultipartUpload: { level: 'object', run: createMultipartUpload },
  DeleteObject: { level: 'object', run: deleteObject },
  GetObject: { level: 'object', run: getObject },
  HeadObject: { level: 'object', run: headObject },
  ListParts: { level: 'object', run: listParts },
  PutObject: { level: 'object', run: putObject },
  UploadPart: { level: 'object', run: uploadPart },
};

/** The operation of this name. */
export function operationNamed(name: ServedOperationName): Operation {
  return operations[name];
}
