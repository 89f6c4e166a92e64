import {
  forwardedOperations,
  type AnsweredOperation,
  type ForwardedOperation,
  type ServedOperationName,
} from '../s3/operation-table.ts';
import { abortMultipartUpload } from './abort-multipart-upload.ts';
import { copyObject } from './copy-object.ts';
import { createBucket, deleteBucket, getBucketLocation, headBucket } from './buckets.ts';
import { completeMultipartUpload } from './complete-multipart-upload.ts';
import { createMultipartUpload } from './create-multipart-upload.ts';
import { deleteObject } from './delete-object.ts';
import { deleteObjects } from './delete-objects.ts';
import type { BucketRequest, Gateway, ObjectRequest, OperationResult, ServiceRequest } from './gateway.ts';
import { forward } from './forward.ts';
import { getObjectAttributes } from './get-object-attributes.ts';
import { listBuckets } from './list-buckets.ts';
import { listMultipartUploads } from './list-multipart-uploads.ts';
import { listObjectVersions } from './list-object-versions.ts';
import { listObjects, listObjectsV2 } from './list-objects.ts';
import { listParts } from './list-parts.ts';
import { getObjectOrPart, headObjectOrPart } from './object-parts.ts';
import { putObject } from './put-object.ts';
import { uploadPartCopy } from './upload-part-copy.ts';
import { uploadPart } from './upload-part.ts';

type Run<Request extends ServiceRequest> = (request: Request, gateway: Gateway) => Promise<OperationResult>;

/** How to run one operation, by what it needs to know. */
export type Operation =
  | { readonly level: 'service'; readonly run: Run<ServiceRequest> }
  | { readonly level: 'bucket'; readonly run: Run<BucketRequest> }
  | { readonly level: 'object'; readonly run: Run<ObjectRequest> };

/** An operation of the table that is not here does not compile. Preflights have no signature, and forms
 * have it inside: see the pipeline. */
const operations: Readonly<Record<Exclude<ServedOperationName, 'PreflightRequest' | 'PostObject'>, Operation>> = {
  ListBuckets: { level: 'service', run: listBuckets },
  CreateBucket: { level: 'bucket', run: createBucket },
  DeleteBucket: { level: 'bucket', run: deleteBucket },
  DeleteObjects: { level: 'bucket', run: deleteObjects },
  GetBucketLocation: { level: 'bucket', run: getBucketLocation },
  HeadBucket: { level: 'bucket', run: headBucket },
  ListMultipartUploads: { level: 'bucket', run: listMultipartUploads },
  ListObjects: { level: 'bucket', run: listObjects },
  ListObjectVersions: { level: 'bucket', run: listObjectVersions },
  ListObjectsV2: { level: 'bucket', run: listObjectsV2 },
  AbortMultipartUpload: { level: 'object', run: abortMultipartUpload },
  CompleteMultipartUpload: { level: 'object', run: completeMultipartUpload },
  CopyObject: { level: 'object', run: copyObject },
  CreateMultipartUpload: { level: 'object', run: createMultipartUpload },
  DeleteObject: { level: 'object', run: deleteObject },
  GetObject: { level: 'object', run: getObjectOrPart },
  GetObjectAttributes: { level: 'object', run: getObjectAttributes },
  HeadObject: { level: 'object', run: headObjectOrPart },
  ListParts: { level: 'object', run: listParts },
  PutObject: { level: 'object', run: putObject },
  UploadPartCopy: { level: 'object', run: uploadPartCopy },
  UploadPart: { level: 'object', run: uploadPart },
};

const all: ReadonlyMap<string, Operation> = new Map([
  ...forwardedOperations.map((row) => [row.operation, forwarding(row)] as const),
  ...Object.entries(operations),
]);

/** How an operation of the table is run: by its own file, else by passing it on. */
export function operationOf({ operation }: AnsweredOperation): Operation {
  const found = all.get(operation);
  if (found === undefined) throw new TypeError(`nothing runs ${operation}`);
  return found;
}

function forwarding(row: ForwardedOperation): Operation {
  return row.level === 'object'
    ? { level: 'object', run: (request, gateway) => forward(request, gateway, row) }
    : { level: 'bucket', run: (request, gateway) => forward(request, gateway, row) };
}
