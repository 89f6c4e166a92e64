import { responseObjectHeaders } from '../s3/object-headers.ts';
import { renderObjectAttributes, type ObjectPartsPage } from '../s3/response-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { ObjectHead } from '../store/object-store.ts';
import { plainChecksumElements } from './checksums.ts';
import { addressOf } from './get-object.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { explainedByGet } from './head-failure.ts';
import { objectChecksums } from './object-checksums.ts';
import { openObject, type OpenedObject } from './object-decryption.ts';
import { partsOf } from './object-parts.ts';
import { boundedNumber, maxKeysLimit } from './query.ts';
import { objectEtag } from './shown-etag.ts';

const attributeNames = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
type Attribute = (typeof attributeNames)[number];

/** GetObjectAttributes: put together from the object's head and, for checksums and parts, its index. */
export async function getObjectAttributes(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const attributes = requestedAttributes(request);
  const page = requestedPage(request);
  const head = await headOf(request);
  const opened = await openObject(gateway, request, head);
  using _secrets = opened?.secrets;
  const document = renderObjectAttributes({
    // Here, and only here, S3 writes ETags without quotes.
    ...(attributes.has('ETag') ? { etag: (await objectEtag(request, gateway, opened, head)).replaceAll('"', '') } : {}),
    ...(attributes.has('Checksum') && opened !== undefined
      ? { checksums: plainChecksumElements(await objectChecksums(request, gateway, { opened, head })) }
      : {}),
    ...(attributes.has('ObjectParts') && opened?.envelope.layout === 'multipart'
      ? { parts: await partsPage(request, gateway, { opened, head, page }) }
      : {}),
    ...(attributes.has('StorageClass') ? { storageClass: head.headers['x-amz-storage-class'] ?? 'STANDARD' } : {}),
    ...(attributes.has('ObjectSize') ? { sizeBytes: opened?.plaintextBytes ?? head.sizeBytes } : {}),
  });
  const { 'x-amz-version-id': version } = responseObjectHeaders(head.headers);
  return xmlResult(document, {
    'last-modified': head.lastModified,
    ...(version === undefined ? {} : { 'x-amz-version-id': version }),
  });
}

async function headOf(request: ObjectRequest): Promise<ObjectHead> {
  try {
    return await request.backend.store.headObject(addressOf(request), { signal: request.signal });
  } catch (error) {
    throw error instanceof S3Error ? await explainedByGet(error, request) : error;
  }
}

/** @throws S3Error InvalidArgument where the header is missing, empty, or names an attribute that S3 does not know. */
function requestedAttributes({ headers }: ObjectRequest): ReadonlySet<Attribute> {
  const names = (headers['x-amz-object-attributes'] ?? '').split(',').map((name) => name.trim());
  const given = names.filter((name) => name !== '');
  const known = attributeNames.filter((name) => given.includes(name));
  if (given.length > 0 && given.every((name) => known.some((attribute) => attribute === name))) return new Set(known);
  throw s3Error(
    'InvalidArgument',
    given.length === 0
      ? 'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty'
      : 'Invalid attribute name specified.',
    { details: { ArgumentName: 'x-amz-object-attributes', ArgumentValue: names.join(',').slice(0, 100) } },
  );
}

interface PartsRequest {
  readonly maxParts: number;
  readonly marker: number;
}

/** @throws S3Error InvalidArgument. */
function requestedPage({ headers }: ObjectRequest): PartsRequest {
  const numbers = new Map<string, string>();
  for (const name of ['x-amz-max-parts', 'x-amz-part-number-marker']) {
    const text = headers[name];
    if (text !== undefined) numbers.set(name, text.trim());
  }
  return {
    maxParts: boundedNumber(numbers, 'x-amz-max-parts', { min: 0, max: maxKeysLimit }) ?? maxKeysLimit,
    marker: boundedNumber(numbers, 'x-amz-part-number-marker', { min: 0, max: 10_000 }) ?? 0,
  };
}

async function partsPage(
  request: ObjectRequest,
  gateway: Gateway,
  object: { readonly opened: OpenedObject; readonly head: ObjectHead; readonly page: PartsRequest },
): Promise<ObjectPartsPage> {
  const { maxParts, marker } = object.page;
  const parts = await partsOf(request, gateway, object);
  const page = parts.slice(marker, marker + maxParts);
  return {
    partCount: parts.length,
    marker,
    nextMarker: marker + page.length,
    maxParts,
    isTruncated: marker + page.length < parts.length,
    parts: page.map(({ plaintextBytes }, index) => ({ partNumber: marker + index + 1, sizeBytes: plaintextBytes })),
  };
}
