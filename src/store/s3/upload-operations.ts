import { streamOf } from '../../base/streams.ts';
import {
  parseCompleteUploadAnswer,
  parseInitiateUploadAnswer,
  parseListPartsAnswer,
  parseListUploadsAnswer,
} from '../../s3/documents.ts';
import { S3Error } from '../../s3/s3-error.ts';
import { element, s3Namespace, xmlDocument } from '../../s3/xml.ts';
import type {
  CallOptions,
  CompleteUploadRequest,
  CreateUploadRequest,
  Headers,
  ListPartsResult,
  ListUploadsRequest,
  ListUploadsResult,
  UploadAddress,
  UploadPartRequest,
  WriteResult,
} from '../object-store.ts';
import { translated } from './backend-errors.ts';
import type { S3Client } from './client.ts';
import { conditionHeaders, isUnconditional, writeResult } from './object-operations.ts';
import { UploadBody } from './upload-body.ts';
import { hasLock } from './upload-form.ts';
import { collectDocument } from './xml-answers.ts';

interface CreatedUpload {
  readonly uploadId: string;
  readonly headers: Headers;
}

/** CreateMultipartUpload. Sent twice it leaves an upload without parts, which any clean-up of uploads removes. */
export async function createUpload(
  client: S3Client,
  request: CreateUploadRequest,
  options: CallOptions,
): Promise<CreatedUpload> {
  const isUnknown = hasLock(request.headers) && client.forms.wantedIn(request.bucket) === undefined;
  if (isUnknown) await tryPart(client, request, options);
  return await initiate(client, request, options);
}

async function initiate(
  client: S3Client,
  request: CreateUploadRequest,
  { signal }: CallOptions,
): Promise<CreatedUpload> {
  return await client.call(
    {
      operation: 'CreateMultipartUpload',
      method: 'POST',
      bucket: request.bucket,
      key: request.key,
      query: { uploads: '' },
      headers: request.headers,
      idempotent: true,
      missing: 'NoSuchBucket',
      signal,
    },
    async ({ headers, body }) => ({ ...parseInitiateUploadAnswer(await collectDocument(body)), headers }),
  );
}

/**
 * Finds out, once for a bucket, whether it wants a checksum with the parts of a locked upload: S3 takes one only where the
 * upload was created for it, and MinIO then wants all of them again in the completion. A part of an upload that is given up
 * at once shows it; where it fails otherwise nothing is known.
 */
async function tryPart(client: S3Client, request: CreateUploadRequest, options: CallOptions): Promise<void> {
  const { bucket, key } = request;
  const { uploadId } = await initiate(client, request, options);
  const address = { bucket, key, uploadId };
  try {
    await uploadPart(client, { ...address, partNumber: 1, body: streamOf(new Uint8Array(1)), lengthBytes: 1 }, options);
    if (client.forms.wantedIn(bucket) === undefined) client.forms.remember(bucket, false);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
  } finally {
    await abortUpload(client, address, {}).catch(() => {});
  }
}

/** UploadPart. */
export async function uploadPart(
  client: S3Client,
  request: UploadPartRequest,
  { signal }: CallOptions,
): Promise<WriteResult> {
  const body = new UploadBody(request.body, request.lengthBytes);
  try {
    return await client.call(
      {
        operation: 'UploadPart',
        method: 'PUT',
        bucket: request.bucket,
        key: request.key,
        query: { partNumber: request.partNumber, uploadId: request.uploadId },
        body,
        idempotent: true,
        missing: 'NoSuchUpload',
        signal,
      },
      writeResult,
    );
  } finally {
    body.release();
  }
}

/**
 * CompleteMultipartUpload; a failure that S3 tells in the body of a 200 is an error like any other. Where an answer got
 * lost the request is repeated: S3 answers the same again, other backends NoSuchUpload.
 */
export async function completeUpload(
  client: S3Client,
  request: CompleteUploadRequest,
  { signal }: CallOptions,
): Promise<WriteResult> {
  const parts = request.parts.map(({ partNumber, etag }) =>
    element('Part', [element('PartNumber', partNumber), element('ETag', etag)]),
  );
  return await client.call(
    {
      operation: 'CompleteMultipartUpload',
      method: 'POST',
      bucket: request.bucket,
      key: request.key,
      query: { uploadId: request.uploadId },
      headers: { ...conditionHeaders(request.conditions), 'content-type': 'application/xml' },
      body: Buffer.from(xmlDocument('CompleteMultipartUpload', s3Namespace, parts)),
      idempotent: isUnconditional(request.conditions),
      missing: 'NoSuchUpload',
      signal,
    },
    async ({ headers, body }) => {
      const document = await collectDocument(body);
      try {
        return { ...parseCompleteUploadAnswer(document), headers };
      } catch (error) {
        throw error instanceof S3Error ? translated(error, headers) : error;
      }
    },
  );
}

/** AbortMultipartUpload. */
export async function abortUpload(client: S3Client, address: UploadAddress, { signal }: CallOptions): Promise<void> {
  await client.call(
    {
      operation: 'AbortMultipartUpload',
      method: 'DELETE',
      bucket: address.bucket,
      key: address.key,
      query: { uploadId: address.uploadId },
      idempotent: true,
      missing: 'NoSuchUpload',
      signal,
    },
    async ({ body }) => await body.discard(),
  );
}

/** ListParts. */
export async function listParts(
  client: S3Client,
  request: UploadAddress & { readonly maxParts?: number; readonly partNumberMarker?: number },
  { signal }: CallOptions,
): Promise<ListPartsResult> {
  return await client.call(
    {
      operation: 'ListParts',
      method: 'GET',
      bucket: request.bucket,
      key: request.key,
      query: {
        uploadId: request.uploadId,
        'max-parts': request.maxParts,
        'part-number-marker': request.partNumberMarker,
      },
      idempotent: true,
      missing: 'NoSuchUpload',
      signal,
    },
    async ({ body }) => parseListPartsAnswer(await collectDocument(body)),
  );
}

/** ListMultipartUploads, always with `encoding-type=url`: XML cannot carry every key. */
export async function listUploads(
  client: S3Client,
  request: ListUploadsRequest,
  { signal }: CallOptions,
): Promise<ListUploadsResult> {
  return await client.call(
    {
      operation: 'ListMultipartUploads',
      method: 'GET',
      bucket: request.bucket,
      query: {
        uploads: '',
        prefix: request.prefix,
        delimiter: request.delimiter,
        'key-marker': request.keyMarker,
        'upload-id-marker': request.uploadIdMarker,
        'max-uploads': request.maxUploads,
        'encoding-type': 'url',
      },
      idempotent: true,
      missing: 'NoSuchBucket',
      signal,
    },
    async ({ body }) => parseListUploadsAnswer(await collectDocument(body)),
  );
}
