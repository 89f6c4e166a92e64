import { parseListObjectsAnswer, parseListVersionsAnswer } from '../../s3/documents.ts';
import type {
  CallOptions,
  ListObjectsRequest,
  ListObjectsResult,
  ListVersionsRequest,
  ListVersionsResult,
} from '../object-store.ts';
import type { S3Client } from './client.ts';
import { collectDocument } from './xml-answers.ts';

/** ListObjects and ListObjectsV2, always with `encoding-type=url`: XML cannot carry every key. */
export async function listObjects(
  client: S3Client,
  request: ListObjectsRequest,
  { signal }: CallOptions,
): Promise<ListObjectsResult> {
  const versioned =
    request.version === 1
      ? { marker: request.marker }
      : {
          'list-type': 2,
          'start-after': request.startAfter,
          'continuation-token': request.continuationToken,
          'fetch-owner': request.fetchOwner === true ? 'true' : undefined,
        };
  return await client.call(
    {
      operation: request.version === 1 ? 'ListObjects' : 'ListObjectsV2',
      method: 'GET',
      bucket: request.bucket,
      query: {
        ...versioned,
        prefix: request.prefix,
        delimiter: request.delimiter,
        'max-keys': request.maxKeys,
        'encoding-type': 'url',
      },
      idempotent: true,
      missing: 'NoSuchBucket',
      signal,
    },
    async ({ body }) => parseListObjectsAnswer(await collectDocument(body)),
  );
}

/** ListObjectVersions, always with `encoding-type=url`: XML cannot carry every key. */
export async function listVersions(
  client: S3Client,
  request: ListVersionsRequest,
  { signal }: CallOptions,
): Promise<ListVersionsResult> {
  return await client.call(
    {
      operation: 'ListObjectVersions',
      method: 'GET',
      bucket: request.bucket,
      query: {
        versions: '',
        prefix: request.prefix,
        delimiter: request.delimiter,
        'key-marker': request.keyMarker,
        'version-id-marker': request.versionIdMarker,
        'max-keys': request.maxKeys,
        'encoding-type': 'url',
      },
      idempotent: true,
      missing: 'NoSuchBucket',
      signal,
    },
    async ({ body }) => parseListVersionsAnswer(await collectDocument(body)),
  );
}
