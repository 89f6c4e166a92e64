import { streamOf } from '../base/streams.ts';
import { ObjectLayout, type LayoutPart } from '../envelope/layout.ts';
import { noSuchPart, type ResolvedRange } from '../s3/range.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { ObjectHead } from '../store/object-store.ts';
import { addressOf, answer, getObject, objectConditions, wantsChecksums } from './get-object.ts';
import { headObject } from './head-object.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { objectChecksums } from './object-checksums.ts';
import { openObject, type OpenedObject } from './object-decryption.ts';
import { askedRange, indexedLayout, readDecrypted } from './object-reading.ts';
import { objectEtag, shownEtag } from './shown-etag.ts';

/** How often a read begins again because the object was replaced between its head and its part. */
const maxAttempts = 5;

/**
 * The part that a GET or HEAD asks for by `partNumber`; undefined where it does not. Parts count from 1 in their order,
 * whatever numbers they were uploaded under.
 * @throws S3Error InvalidArgument; InvalidRequest where it comes with a range.
 */
function requestedPart({ query, headers }: ObjectRequest): number | undefined {
  const text = query.get('partNumber');
  if (text === undefined) return undefined;
  const partNumber = parsePartNumber(text);
  if (headers['range'] === undefined) return partNumber;
  throw s3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter');
}

/** GetObject: a part where the request names one, else the object or a range of it. */
export function getObjectOrPart(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = requestedPart(request);
  return partNumber === undefined ? getObject(request, gateway) : getPart(request, gateway, partNumber);
}

/** HeadObject: likewise. */
export function headObjectOrPart(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = requestedPart(request);
  return partNumber === undefined ? headObject(request, gateway) : headPart(request, gateway, partNumber);
}

/**
 * GetObject of one part: the object is looked at, its part table read where it is not known, and the part read as a range of
 * that very state. An object that was not uploaded in parts is one part.
 */
async function getPart(request: ObjectRequest, gateway: Gateway, partNumber: number): Promise<OperationResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await findPart(request, gateway, partNumber);
      if (found.opened === undefined) return await plainPart(request, found.head, partNumber);
      using _secrets = found.opened.secrets;
      const body = found.range === undefined ? streamOf() : await readPart(request, gateway, found, found.range);
      return { ...found.result, body };
    } catch (error) {
      // Its own condition held a moment ago: the object is another one now.
      const wasReplaced = error instanceof S3Error && error.code === 'PreconditionFailed';
      if (!wasReplaced || attempt === maxAttempts) throw error;
    }
  }
}

/** HeadObject of one part. */
async function headPart(request: ObjectRequest, gateway: Gateway, partNumber: number): Promise<OperationResult> {
  const found = await findPart(request, gateway, partNumber);
  if (found.opened !== undefined) {
    found.opened.secrets.dispose();
    return found.result;
  }
  const { body, ...result } = await plainPart(request, found.head, partNumber);
  if (typeof body === 'object') await body[Symbol.asyncIterator]().return?.();
  return result;
}

interface EncryptedPart {
  readonly head: ObjectHead;
  readonly opened: OpenedObject;
  /** Undefined for a part without a byte. */
  readonly range: ResolvedRange | undefined;
  /** Without its body. */
  readonly result: OperationResult;
}

type FoundPart = EncryptedPart | { readonly head: ObjectHead; readonly opened: undefined };

/** A part of an object that is not encrypted, as the backend has it. */
async function plainPart(request: ObjectRequest, head: ObjectHead, partNumber: number): Promise<OperationResult> {
  if (head.sizeBytes === 0) {
    if (partNumber > 1) throw noSuchPart(partNumber, 1);
    return { ...answer(request, head, { etag: shownEtag(request, head.etag), sizeBytes: 0 }), body: streamOf() };
  }
  const stored = await request.backend.store.getObject(
    { ...addressOf(request), conditions: { ifMatch: head.etag }, partNumber },
    { signal: request.signal },
  );
  const range = { first: stored.offsetBytes, last: stored.offsetBytes + stored.lengthBytes - 1 };
  const etag = shownEtag(request, stored.etag);
  const result = answer(request, stored, { etag, sizeBytes: stored.sizeBytes, range, body: stored.body });
  const count = stored.headers['x-amz-mp-parts-count'];
  return { ...result, headers: { ...result.headers, ...(count === undefined ? {} : partsCount(count)) } };
}

function partsCount(count: string | number): Readonly<Record<string, string>> {
  return { 'x-amz-mp-parts-count': String(count) };
}

async function findPart(request: ObjectRequest, gateway: Gateway, partNumber: number): Promise<FoundPart> {
  const head = await request.backend.store.headObject(
    { ...addressOf(request), conditions: objectConditions(request) },
    { signal: request.signal },
  );
  const opened = await openObject(gateway, request, head);
  if (opened === undefined) return { head, opened };
  try {
    const parts = await partsOf(request, gateway, { opened, head });
    const part = parts[partNumber - 1];
    if (part === undefined) throw noSuchPart(partNumber, parts.length);
    const { plaintextOffset: first, plaintextBytes } = part;
    const range = plaintextBytes === 0 ? undefined : { first, last: first + plaintextBytes - 1 };
    const isSingle = opened.envelope.layout === 'single';
    const asksForChecksums = isSingle && wantsChecksums(request);
    const checksums = asksForChecksums ? await objectChecksums(request, gateway, { opened, head }) : undefined;
    const sizeBytes = range === undefined ? 0 : opened.plaintextBytes;
    const etag = await objectEtag(request, gateway, opened, head);
    const result = answer(request, head, { etag, sizeBytes, range, checksums });
    const count = isSingle ? {} : partsCount(parts.length);
    return { head, opened, range, result: { ...result, headers: { ...result.headers, ...count } } };
  } catch (error) {
    opened.secrets.dispose();
    throw error;
  }
}

type Part = Pick<LayoutPart, 'plaintextOffset' | 'plaintextBytes'>;

/** The parts of an encrypted object in order; of one that was put in one piece, that piece. */
export async function partsOf(
  request: ObjectRequest,
  gateway: Gateway,
  { opened, head }: { readonly opened: OpenedObject; readonly head: ObjectHead },
): Promise<readonly Part[]> {
  const { plaintextBytes, envelope } = opened;
  const { layout, segmentSizeBytes } = envelope;
  if (layout === 'single') return ObjectLayout.single({ plaintextBytes, segmentSizeBytes }).parts;
  return (await indexedLayout({ request, gateway, opened, stored: head })).layout.parts;
}

async function readPart(
  request: ObjectRequest,
  gateway: Gateway,
  { head, opened }: EncryptedPart,
  range: ResolvedRange,
): Promise<NonNullable<OperationResult['body']>> {
  const stored = await request.backend.store.getObject(
    { ...addressOf(request), conditions: { ifMatch: head.etag }, ...askedRange(request, gateway, range) },
    { signal: request.signal },
  );
  try {
    return await readDecrypted({ request, gateway, stored, opened, range });
  } catch (error) {
    await stored.discard();
    throw error;
  }
}
