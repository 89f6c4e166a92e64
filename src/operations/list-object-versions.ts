import { clientEtag } from '../s3/etag.ts';
import { renderListVersions } from '../s3/response-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { ListedVersion, ListVersionsRequest, ListVersionsResult } from '../store/object-store.ts';
import { xmlResult, type BucketRequest, type Gateway, type OperationResult } from './gateway.ts';
import { listedSizes } from './listed-sizes.ts';
import { boundedNumber, encodingType, maxKeysLimit, optionalText } from './query.ts';
import { entriesToAdd, visiblePrefixes } from './visible-prefixes.ts';

/** ListObjectVersions: every version and delete marker, with plaintext sizes and the clients' ETags. */
export async function listObjectVersions(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const { bucket, query } = request;
  const listing = {
    bucket,
    maxKeys: boundedNumber(query, 'max-keys', { min: 0, max: maxKeysLimit }) ?? maxKeysLimit,
    ...optionalText(query, 'prefix', 'prefix'),
    ...optionalText(query, 'delimiter', 'delimiter'),
    ...optionalText(query, 'key-marker', 'keyMarker'),
    ...optionalText(query, 'version-id-marker', 'versionIdMarker'),
  };
  if (listing.versionIdMarker !== undefined && listing.keyMarker === undefined) {
    throw s3Error('InvalidArgument', 'A version-id marker cannot be specified without a key marker.', {
      details: { ArgumentName: 'version-id-marker', ArgumentValue: listing.versionIdMarker.slice(0, 100) },
    });
  }
  const encoding = encodingType(query);
  return xmlResult(
    renderListVersions({
      ...listing,
      page: await visiblePage(request, gateway, listing),
      ...(encoding === undefined ? {} : { encodingType: encoding }),
    }),
  );
}

/** A page without the gateway's own keys. */
async function visiblePage(
  request: BucketRequest,
  gateway: Gateway,
  asked: ListVersionsRequest & { readonly maxKeys: number },
): Promise<ListVersionsResult> {
  const versions: ListedVersion[] = [];
  const commonPrefixes: string[] = [];
  let listing: ListVersionsRequest = asked;
  for (;;) {
    const page = await request.backend.store.listVersions(listing, { signal: request.signal });
    versions.push(...page.versions.filter(({ key }) => !key.startsWith(gateway.reservedPrefix)));
    commonPrefixes.push(...(await visiblePrefixes(request, gateway, page.commonPrefixes, firstVersion)));
    const maxKeys = entriesToAdd(asked.maxKeys, versions.length + commonPrefixes.length);
    if (!page.isTruncated || maxKeys === 0) {
      return { ...page, versions: await translated(request, versions), commonPrefixes };
    }
    listing = { ...nextPage(asked, page), maxKeys };
  }
}

function nextPage(asked: ListVersionsRequest, page: ListVersionsResult): ListVersionsRequest {
  const { nextKeyMarker: keyMarker, nextVersionIdMarker: versionIdMarker } = page;
  const { keyMarker: _key, versionIdMarker: _version, ...rest } = asked;
  return {
    ...rest,
    ...(keyMarker === undefined ? {} : { keyMarker }),
    ...(versionIdMarker === undefined ? {} : { versionIdMarker }),
  };
}

async function firstVersion(request: BucketRequest, prefix: string, after?: string): Promise<string | undefined> {
  const { bucket, backend, signal } = request;
  const marker = after === undefined ? {} : { keyMarker: after };
  const page = await backend.store.listVersions({ bucket, prefix, maxKeys: 1, ...marker }, { signal });
  return page.versions[0]?.key;
}

async function translated(
  request: BucketRequest,
  versions: readonly ListedVersion[],
): Promise<readonly ListedVersion[]> {
  if (request.policy.encryption.mode === 'off') return versions;
  const objects = versions.filter(({ kind }) => kind === 'version');
  const sizes = await listedSizes(request, objects);
  const sizeOf = new Map(objects.map((object, index) => [object, sizes[index]]));
  return versions.map((version) =>
    version.kind === 'deleteMarker'
      ? version
      : { ...version, etag: clientEtag(version.etag), sizeBytes: sizeOf.get(version) ?? version.sizeBytes },
  );
}
