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

/** Sorts after every key that has a shorter form: nothing follows it under a prefix. */
const lastCharacter = '\u{10ffff}';

/** ListObjects and ListObjectsV2, always with `encoding-type=url`: XML cannot carry every key. */
export async function listObjects(
  client: S3Client,
  request: ListObjectsRequest,
  { signal }: CallOptions,
): Promise<ListObjectsResult> {
  const versioned =
    request.version === 1
      ? { marker: markerWithin(request.prefix, request.marker) }
      : {
          'list-type': 2,
          'start-after': markerWithin(request.prefix, request.startAfter),
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
    async ({ body }) => withKeyAsMarker(parseListObjectsAnswer(await collectDocument(body)), request.prefix),
  );
}

/**
 * NextMarker is the last key or common prefix of the page. Some backends give a token of their own in its place (moto):
 * `markerWithin` would place it before or behind all keys of the prefix.
 */
function withKeyAsMarker(page: ListObjectsResult, prefix = ''): ListObjectsResult {
  if (page.nextMarker === undefined || page.nextMarker.startsWith(prefix)) return page;
  const { nextMarker: _token, ...rest } = page;
  const ends = [page.objects.at(-1)?.key, page.commonPrefixes.at(-1)].filter((end) => end !== undefined);
  const last = ends.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))).at(-1);
  return last === undefined ? rest : { ...rest, nextMarker: last };
}

/**
 * A marker that every provider takes: MinIO answers 501 to one that does not begin with the prefix. One that sorts before
 * all keys of the prefix says nothing; behind all of them, the last possible key of the prefix says the same.
 */
function markerWithin(prefix: string | undefined, marker: string | undefined): string | undefined {
  if (prefix === undefined || marker === undefined || marker.startsWith(prefix)) return marker;
  return Buffer.compare(Buffer.from(marker), Buffer.from(prefix)) < 0 ? undefined : `${prefix}${lastCharacter}`;
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
