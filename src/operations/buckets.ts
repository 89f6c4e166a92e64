import { createHash } from 'node:crypto';

import { readAll } from '../base/streams.ts';
import { requestBucketHeaders } from '../s3/object-headers.ts';
import { maxDocumentBytes, parseCreateBucketRequest } from '../s3/request-documents.ts';
import { renderLocation } from '../s3/response-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import { renderTaggingDocument, type Tag } from '../s3/tagging.ts';
import type { ListVersionsRequest, ListVersionsResult } from '../store/object-store.ts';
import { deleteVersion } from '../store/small-object.ts';
import { xmlResult, type BucketRequest, type Gateway, type OperationResult } from './gateway.ts';

/** CreateBucket. Tags are set by a request of their own, since not every backend takes them with the bucket. */
export async function createBucket(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const document = await request.document(maxDocumentBytes.CreateBucketConfiguration);
  const { tags, ...configuration } = parseCreateBucketRequest(document);
  await request.backend.store.createBucket(
    request.bucket,
    { headers: requestBucketHeaders(request.headers), ...configuration },
    { signal: request.signal },
  );
  gateway.cors.forget(request.backend, request.bucket);
  if (tags.length > 0) await tagNewBucket(request, tags);
  return { status: 200, headers: { location: `/${request.bucket}` } };
}

/** Where this fails the bucket stays, since it may have been there before: the client hears that it has no tags. */
async function tagNewBucket({ bucket, backend, signal }: BucketRequest, tags: readonly Tag[]): Promise<void> {
  const document = Buffer.from(renderTaggingDocument(tags));
  const headers = { 'content-md5': createHash('md5').update(document).digest('base64') };
  const { body } = await backend.store.subResource(
    { operation: 'PutBucketTagging', method: 'PUT', bucket, query: { tagging: '' }, headers, document },
    { signal },
  );
  if (body !== undefined)
    await readAll(body, maxDocumentBytes.CreateBucketConfiguration, () => s3Error('InternalError'));
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
    for (const object of own) await deleteVersion(backend.store, { bucket, ...object }, { signal });
    await backend.store.deleteBucket(bucket, { signal });
  }
  gateway.canaries.forget(backend, bucket);
  gateway.cors.forget(backend, bucket);
  return { status: 204, headers: {} };
}

interface OwnObject {
  readonly key: string;
  readonly versionId: string;
}

/**
 * The gateway's own objects in a bucket, each version of them and each delete marker; undefined as soon as one of a client
 * is met.
 */
async function ownObjects(request: BucketRequest, gateway: Gateway): Promise<readonly OwnObject[] | undefined> {
  const own: OwnObject[] = [];
  const { bucket, backend, signal } = request;
  let marker: Pick<ListVersionsRequest, 'keyMarker' | 'versionIdMarker'> | undefined = {};
  while (marker !== undefined) {
    const page: ListVersionsResult = await backend.store.listVersions({ bucket, ...marker }, { signal });
    if (page.versions.some(({ key }) => !key.startsWith(gateway.reservedPrefix))) return undefined;
    own.push(...page.versions.map(({ key, versionId }) => ({ key, versionId })));
    marker = page.isTruncated ? nextMarker(page) : undefined;
  }
  return own;
}

function nextMarker(page: ListVersionsResult): Pick<ListVersionsRequest, 'keyMarker' | 'versionIdMarker'> {
  const { nextKeyMarker: keyMarker, nextVersionIdMarker: versionIdMarker } = page;
  return {
    ...(keyMarker === undefined ? {} : { keyMarker }),
    ...(versionIdMarker === undefined ? {} : { versionIdMarker }),
  };
}
