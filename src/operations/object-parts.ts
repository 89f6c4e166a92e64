import { streamOf } from '../base/streams.ts';
import { ObjectLayout, type LayoutPart } from '../envelope/layout.ts';
import type { ResolvedRange } from '../s3/range.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { ObjectHead } from '../store/object-store.ts';
import { addressOf, answer, getObject, objectConditions, wantsChecksums } from './get-object.ts';
import { headObject } from './head-object.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { objectChecksums } from './object-checksums.ts';
import { openObject, type OpenedObject } from './object-decryption.ts';
import { askedRange, indexedLayout, readDecrypted } from './object-reading.ts';

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
    const found = await findPart(request, gateway, partNumber);
    using _secrets = found.opened?.secrets;
    const { range } = found;
    if (range === undefined) return { ...found.result, body: streamOf() };
    try {
      return { ...found.result, body: await readPart(request, gateway, found, range) };
    } catch (error) {
      // Its own condition held a moment ago: the object is another one now.
      const wasReplaced = error instanceof S3Error && error.code === 'PreconditionFailed';
      if (!wasReplaced || attempt === maxAttempts) throw error;
    }
  }
}

/** HeadObject of one part. */
async function headPart(request: ObjectRequest, gateway: Gateway, partNumber: number): Promise<OperationResult> {
  const { opened, result } = await findPart(request, gateway, partNumber);
  opened?.secrets.dispose();
  return result;
}

interface FoundPart {
  readonly head: ObjectHead;
  readonly opened: OpenedObject | undefined;
  /** Undefined for a part without a byte. */
  readonly range: ResolvedRange | undefined;
  /** Without its body. */
  readonly result: OperationResult;
}

async function findPart(request: ObjectRequest, gateway: Gateway, partNumber: number): Promise<FoundPart> {
  const head = await request.backend.store.headObject(
    { ...addressOf(request), conditions: objectConditions(request) },
    { signal: request.signal },
  );
  const opened = await openObject(gateway, request, head);
  try {
    const parts = opened === undefined ? [wholeOf(head)] : await partsOf(request, gateway, { opened, head });
    const part = parts[partNumber - 1];
    if (part === undefined) throw noSuchPart(partNumber, parts.length);
    const { plaintextOffset: first, plaintextBytes } = part;
    const range = plaintextBytes === 0 ? undefined : { first, last: first + plaintextBytes - 1 };
    const isSingle = opened?.envelope.layout === 'single';
    const checksums =
      isSingle && wantsChecksums(request) ? await objectChecksums(request, gateway, opened, head) : undefined;
    const sizeBytes = range === undefined ? 0 : (opened?.plaintextBytes ?? head.sizeBytes);
    const result = answer(request, head, { sizeBytes, range, checksums });
    const count = opened?.envelope.layout === 'multipart' ? { 'x-amz-mp-parts-count': String(parts.length) } : {};
    return { head, opened, range, result: { ...result, headers: { ...result.headers, ...count } } };
  } catch (error) {
    opened?.secrets.dispose();
    throw error;
  }
}

type Part = Pick<LayoutPart, 'plaintextOffset' | 'plaintextBytes'>;

function wholeOf({ sizeBytes }: ObjectHead): { readonly plaintextOffset: number; readonly plaintextBytes: number } {
  return { plaintextOffset: 0, plaintextBytes: sizeBytes };
}

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
  { head, opened }: FoundPart,
  range: ResolvedRange,
): Promise<NonNullable<OperationResult['body']>> {
  const asked = opened === undefined ? { range } : askedRange(request, gateway, range);
  const stored = await request.backend.store.getObject(
    { ...addressOf(request), conditions: { ifMatch: head.etag }, ...asked },
    { signal: request.signal },
  );
  if (opened === undefined) return stored.body;
  try {
    return await readDecrypted({ request, gateway, stored, opened, range });
  } catch (error) {
    await stored.discard();
    throw error;
  }
}

function noSuchPart(partNumber: number, partCount: number): Error {
  return s3Error('InvalidPartNumber', undefined, {
    details: { ActualPartCount: String(partCount), PartNumberRequested: String(partNumber) },
  });
}
