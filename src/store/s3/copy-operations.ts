import { parseCopyAnswer } from '../../s3/documents.ts';
import { rangeHeader } from '../../s3/range.ts';
import { S3Error, s3Error } from '../../s3/s3-error.ts';
import { uriEncode } from '../../s3/uri-encoding.ts';
import type {
  CallOptions,
  Conditions,
  CopyObjectRequest,
  CopyPartRequest,
  CopyResult,
  Headers,
  ObjectAddress,
} from '../object-store.ts';
import { translated } from './backend-errors.ts';
import type { S3Client } from './client.ts';
import { conditionHeaders, isUnconditional } from './object-operations.ts';
import type { WireResponse } from './transport.ts';
import { collectDocument } from './xml-answers.ts';

/** S3 answers a copy's headers at once and the outcome later; others answer when all of 5 GiB are copied. */
const copyTimeoutMs = 30 * 60_000;

/** CopyObject. */
export async function copyObject(
  client: S3Client,
  request: CopyObjectRequest,
  { signal }: CallOptions,
): Promise<CopyResult> {
  const { bucket, key, source, metadata, tags } = request;
  return await copied(
    client.call(
      {
        operation: 'CopyObject',
        method: 'PUT',
        bucket,
        key,
        headers: {
          ...request.headers,
          ...sourceHeaders(source, request.sourceConditions),
          ...conditionHeaders(request.conditions),
          'x-amz-metadata-directive': metadata,
          'x-amz-tagging-directive': tags,
        },
        idempotent: isUnconditional(request.conditions),
        missing: 'NoSuchKey',
        signal,
        headersTimeoutMs: copyTimeoutMs,
      },
      copyResult,
    ),
  );
}

/** UploadPartCopy. */
export async function copyPart(
  client: S3Client,
  request: CopyPartRequest,
  { signal }: CallOptions,
): Promise<CopyResult> {
  const { bucket, key, uploadId, partNumber, source, range } = request;
  return await copied(
    client.call(
      {
        operation: 'UploadPartCopy',
        method: 'PUT',
        bucket,
        key,
        query: { partNumber, uploadId },
        headers: {
          ...sourceHeaders(source, request.sourceConditions),
          ...(range === undefined ? {} : { 'x-amz-copy-source-range': rangeHeader(range) }),
        },
        idempotent: true,
        missing: 'NoSuchUpload',
        signal,
        headersTimeoutMs: copyTimeoutMs,
      },
      copyResult,
    ),
  );
}

/** Some backends answer conditions on a copy's source as if it were read. */
async function copied(call: Promise<CopyResult>): Promise<CopyResult> {
  return await call.catch((error: unknown) => {
    const notModified = error instanceof S3Error && error.code === 'NotModified';
    throw notModified ? s3Error('PreconditionFailed', undefined, { cause: error }) : error;
  });
}

function sourceHeaders({ bucket, key, versionId }: ObjectAddress, conditions: Conditions | undefined): Headers {
  const version = versionId === undefined ? '' : `?versionId=${uriEncode(versionId, true)}`;
  const sourceConditions = Object.entries(conditionHeaders(conditions));
  return {
    'x-amz-copy-source': `${bucket}/${uriEncode(key, false)}${version}`,
    ...Object.fromEntries(sourceConditions.map(([name, value]) => [`x-amz-copy-source-${name}`, value])),
  };
}

/** A failure that S3 tells in the body of a 200 is an error like any other. */
async function copyResult({ headers, body }: WireResponse): Promise<CopyResult> {
  const document = await collectDocument(body);
  try {
    return { ...parseCopyAnswer(document), headers };
  } catch (error) {
    throw error instanceof S3Error ? translated(error, headers) : error;
  }
}
