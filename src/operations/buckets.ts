import { requestBucketHeaders } from '../s3/object-headers.ts';
import { maxDocumentBytes, parseCreateBucketRequest } from '../s3/request-documents.ts';
import { renderLocation } from '../s3/response-documents.ts';
import { S3Error } from '../s3/s3-error.ts';
import type { ListedObject } from '../store/object-store.ts';
import { xmlResult, type BucketRequest, type Gateway, type OperationResult } from './gateway.ts';

/** CreateBucket. */
export async function createBucket(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const configuration = parseCreateBucketRequest(await request.document(maxDocumentBytes.CreateBucketConfiguration));
  await request.backend.store.createBucket(
    request.bucket,
    { headers: requestBucketHeaders(request.headers), ...configuration },
    { signal: request.signal },
  );
  gateway.cors.forget(request.backend, request.bucket);
  return { status: 200, headers: { location: `/${request.bucket}` } };
}

/** HeadBucket. */
export async function headBucket(request: BucketRequest): Promise<OperationResult> {
  const { headers } = await request.backend.store.headBucket(request.bucket, { signal: request.signal });
  const region = headers['x-amz-bucket-region'];
  return { status: 200, headers: region === undefined ? {} : { 'x-amz-bucket-region': region } };
}

/** GetBucketLocation. */
export async function getBucketLocation(request: BucketRequest): Promise<OperationResult> {
  const location = await request.backend.store.getBucketLocation(request.bucket, { signal: request.signal });
  return xmlResult(renderLocation(location));
}

/** DeleteBucket: a bucket that holds nothing but the gateway's own objects is empty for the client, and can be deleted. */
export async function deleteBucket(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const { bucket, backend, signal } = request;
  try {
    await backend.store.deleteBucket(bucket, { signal });
  } catch (error) {
    if (!(error instanceof S3Error) || error.code !== 'BucketNotEmpty') throw error;
    const own = await ownObjects(request, gateway);
    if (own === undefined || own.length === 0) throw error;
    for (const { key } of own) await backend.store.deleteObject({ bucket, key }, { signal });
    await backend.store.deleteBucket(bucket, { signal });
  }
  gateway.canaries.forget(backend, bucket);
  gateway.cors.forget(backend, bucket);
  return { status: 204, headers: {} };
}

/** The gateway's own objects in a bucket; undefined as soon as one of a client is met. */
async function ownObjects(request: BucketRequest, gateway: Gateway): Promise<readonly ListedObject[] | undefined> {
  const own: ListedObject[] = [];
  let continuationToken: string | undefined;
  do {
    const page = await request.backend.store.listObjects(
      { bucket: request.bucket, version: 2, ...(continuationToken === undefined ? {} : { continuationToken }) },
      { signal: request.signal },
    );
    if (page.objects.some(({ key }) => !key.startsWith(gateway.reservedPrefix))) return undefined;
    own.push(...page.objects);
    continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
  } while (continuationToken !== undefined);
  return own;
}
