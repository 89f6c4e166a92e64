import { renderListObjects, renderListObjectsV2 } from '../s3/response-documents.ts';
import { clientEtag } from '../s3/etag.ts';
import type { ListedObject, ListObjectsRequest, ListObjectsResult } from '../store/object-store.ts';
import { xmlResult, type BucketRequest, type Gateway, type OperationResult } from './gateway.ts';
import { s3Error, type S3Error } from '../s3/s3-error.ts';
import { listedSizes } from './listed-sizes.ts';
import { boundedNumber, encodingType, maxKeysLimit, textParameter } from './query.ts';
import { entriesToAdd, visiblePrefixes } from './visible-prefixes.ts';

/** ListObjects, version 1. */
export async function listObjects(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const marker = textParameter(request.query, 'marker');
  const listing = listingOf(request);
  const page = await visiblePage(request, gateway, {
    ...listing,
    version: 1,
    ...(marker === undefined ? {} : { marker }),
  });
  const encoding = encodingType(request.query);
  return xmlResult(
    renderListObjects({
      ...listing,
      page,
      ...(marker === undefined ? {} : { marker }),
      ...(encoding === undefined ? {} : { encodingType: encoding }),
    }),
  );
}

/** ListObjectsV2. */
export async function listObjectsV2(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const startAfter = textParameter(request.query, 'start-after');
  const continuationToken = request.query.get('continuation-token');
  if (continuationToken === '') throw wrongToken();
  const listing = listingOf(request);
  const position = {
    ...(startAfter === undefined ? {} : { startAfter }),
    ...(continuationToken === undefined ? {} : { continuationToken }),
  };
  const page = await visiblePage(request, gateway, {
    ...listing,
    ...position,
    version: 2,
    fetchOwner: request.query.get('fetch-owner') === 'true',
  });
  const encoding = encodingType(request.query);
  return xmlResult(
    renderListObjectsV2({
      ...listing,
      ...position,
      page,
      ...(encoding === undefined ? {} : { encodingType: encoding }),
    }),
  );
}

function wrongToken(): S3Error {
  return s3Error('InvalidArgument', 'The continuation token provided is incorrect', {
    details: { ArgumentName: 'continuation-token' },
  });
}

interface Listing {
  readonly bucket: string;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly maxKeys: number;
}

function listingOf({ bucket, query }: BucketRequest): Listing {
  const prefix = textParameter(query, 'prefix');
  const delimiter = textParameter(query, 'delimiter');
  return {
    bucket,
    maxKeys: boundedNumber(query, 'max-keys', { min: 0, max: maxKeysLimit }) ?? maxKeysLimit,
    ...(prefix === undefined ? {} : { prefix }),
    ...(delimiter === undefined ? {} : { delimiter }),
  };
}

/** A page without the gateway's own keys, with plaintext sizes and the clients' ETags. */
async function visiblePage(
  request: BucketRequest,
  gateway: Gateway,
  asked: ListObjectsRequest & { readonly maxKeys: number },
): Promise<ListObjectsResult> {
  const objects: ListedObject[] = [];
  const commonPrefixes: string[] = [];
  let listing: ListObjectsRequest = asked;
  for (;;) {
    const page = await request.backend.store.listObjects(listing, { signal: request.signal });
    objects.push(...page.objects.filter(({ key }) => !key.startsWith(gateway.reservedPrefix)));
    commonPrefixes.push(...(await visiblePrefixes(request, gateway, page.commonPrefixes, firstKey)));
    const maxKeys = entriesToAdd(asked.maxKeys, objects.length + commonPrefixes.length);
    if (!page.isTruncated || maxKeys === 0) {
      return { ...page, objects: await translated(request, objects), commonPrefixes };
    }
    const next = { ...nextPage(asked, page), maxKeys };
    if (isSamePlace(listing, next)) throw s3Error('InternalError', 'The listing of the backend does not go on.');
    listing = next;
  }
}

/** There are backends that repeat a page for ever (MinIO, with some delimiters): a client must not hold us in that. */
function isSamePlace(left: ListObjectsRequest, right: ListObjectsRequest): boolean {
  return left.marker === right.marker && left.continuationToken === right.continuationToken;
}

function nextPage(asked: ListObjectsRequest, page: ListObjectsResult): ListObjectsRequest {
  const { startAfter: _startAfter, continuationToken: _token, marker: _marker, ...rest } = asked;
  if (asked.version === 2) {
    return {
      ...rest,
      ...(page.nextContinuationToken === undefined ? {} : { continuationToken: page.nextContinuationToken }),
    };
  }
  const marker = page.nextMarker ?? page.objects.at(-1)?.key ?? page.commonPrefixes.at(-1);
  return { ...rest, ...(marker === undefined ? {} : { marker }) };
}

async function translated(request: BucketRequest, objects: readonly ListedObject[]): Promise<readonly ListedObject[]> {
  if (request.policy.encryption.mode === 'off') return objects;
  const sizes = await listedSizes(request, objects);
  return objects.map((object, index) => ({
    ...object,
    etag: clientEtag(object.etag),
    sizeBytes: sizes[index] ?? object.sizeBytes,
  }));
}

async function firstKey(request: BucketRequest, prefix: string, startAfter?: string): Promise<string | undefined> {
  const { bucket, backend, signal } = request;
  const start = startAfter === undefined ? {} : { startAfter };
  const page = await backend.store.listObjects({ bucket, prefix, version: 2, maxKeys: 1, ...start }, { signal });
  return page.objects[0]?.key;
}
