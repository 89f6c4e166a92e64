import type { ByteStream } from '../base/byte-stream.ts';
import { readAll, releasing, streamOf } from '../base/streams.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import type { ObjectIndex } from '../envelope/object-index.ts';
import { ifRangeHolds, requestConditions } from '../s3/conditions.ts';
import { mapConditions } from '../s3/etag.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { responseOverrides } from '../s3/operation-table.ts';
import { contentRange, parseRange, resolveRange, type RequestedRange, type ResolvedRange } from '../s3/range.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { ByteRange, Conditions, ObjectBody, ObjectHead } from '../store/object-store.ts';
import { sealedChecksumHeaders, type ObjectChecksums } from './checksums.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { objectChecksums } from './object-checksums.ts';
import { openObject, type OpenedObject } from './object-decryption.ts';
import { askedRange, layoutKey, readDecrypted, type Reading } from './object-reading.ts';
import { isMd5, objectEtag, showsMd5, shownEtag } from './shown-etag.ts';

/** Stored length up to which an object may be gathered in memory before it is given out. */
const maxGatheredBytes = 128 * 1024;

/**
 * GetObject. One backend request for a whole object of one message, and for a range of one; for a multipart object the
 * index takes another, once, and a range is then asked for again at its true place.
 */
export async function getObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const { stored, range } = await getAsked(request, gateway);
  let opened: OpenedObject | undefined;
  try {
    opened = await openObject(gateway, request, stored);
    if (opened === undefined) return await answerPlain(request, stored, range);
    const resolved = range === undefined ? undefined : resolveRange(range, opened.plaintextBytes);
    const { body, etag, checksums } = await readWithChecksums({ request, gateway, stored, opened, range: resolved });
    const { secrets } = opened;
    return answer(request, stored, {
      etag,
      checksums,
      sizeBytes: opened.plaintextBytes,
      range: resolved,
      body: releasing(body, () => secrets.dispose()),
    });
  } catch (error) {
    opened?.secrets.dispose();
    await stored.discard();
    throw error;
  }
}

/** The plaintext, with what is sealed about it and has to be known before its first byte goes out. */
interface ReadObject {
  readonly body: ByteStream;
  readonly etag: string;
  readonly checksums?: ObjectChecksums | undefined;
}

/**
 * The plaintext, its ETag, and its checksums where the client asks for them. Where what is needed is in the index alone, a
 * small object is read to its end first, so that it takes no request of its own.
 */
async function readWithChecksums(reading: Reading): Promise<ReadObject> {
  const { request, gateway, opened, stored, range } = reading;
  const asksForChecksums = range === undefined && wantsChecksums(request);
  const isGathered = range === undefined && opened.envelope.layout === 'single' && stored.sizeBytes <= maxGatheredBytes;
  if (isGathered && needsIndex(opened, { checksums: asksForChecksums, md5: showsMd5(request) })) {
    const { body, checksums } = await gather(reading);
    const sealed = { checksums, partCount: 1 };
    const etag = shownEtag(request, stored.etag, sealed);
    return { body, etag, checksums: asksForChecksums ? sealed : undefined };
  }
  const checksums = asksForChecksums ? await objectChecksums(request, gateway, { opened, head: stored }) : undefined;
  const etag = await objectEtag(request, gateway, opened, stored);
  return { body: await readDecrypted(reading), etag, checksums };
}

/** Whether what is needed is not in the envelope. */
function needsIndex(
  { metadata }: OpenedObject,
  needs: { readonly checksums: boolean; readonly md5: boolean },
): boolean {
  return (needs.checksums && metadata.checksums.length === 0) || (needs.md5 && !metadata.checksums.some(isMd5));
}

/** Reads a small object of the single layout to its end, where its index is. */
async function gather(
  reading: Reading,
): Promise<{ readonly body: ByteStream; readonly checksums: readonly SealedChecksum[] }> {
  let checksums: readonly SealedChecksum[] = [];
  const onIndex = (index: ObjectIndex): void => {
    checksums = index.checksums;
  };
  const body = await readDecrypted({ ...reading, onIndex });
  const bytes = await readAll(body, maxGatheredBytes, () => new RangeError('a small object is not small'));
  return { body: streamOf(bytes), checksums };
}

/** The stored object and the range of it that is to be given: none of an object that is not the client's any more. */
async function getAsked(
  request: ObjectRequest,
  gateway: Gateway,
): Promise<{ readonly stored: ObjectBody; readonly range: RequestedRange | undefined }> {
  const range = parseRange(request.headers['range']);
  const stored = await getStored(request, gateway, range);
  if (range === undefined || rangeHolds(request, stored)) return { stored, range };
  await stored.discard();
  return { stored: await getStored(request, gateway, undefined), range: undefined };
}

/** What If-Range says of an object; of an MD5 it says so in the opaque form (see `underPlaintextConditions`). */
export function rangeHolds(request: ObjectRequest, { etag, lastModified }: ObjectHead): boolean {
  return ifRangeHolds(request.headers['if-range'], { etag: shownEtag(request, etag), lastModified });
}

/**
 * The stored object from the place where the range is thought to be. Where the stored object has no such place, it is
 * asked for from its beginning: it may be smaller than what the guess was made from, and only its envelope tells which
 * ranges of plaintext there are.
 */
async function getStored(
  request: ObjectRequest,
  gateway: Gateway,
  range: RequestedRange | undefined,
): Promise<ObjectBody> {
  const get = (asked: { readonly range?: ByteRange }): Promise<ObjectBody> =>
    request.backend.store.getObject(
      { ...addressOf(request), conditions: objectConditions(request), ...asked },
      { signal: request.signal },
    );
  try {
    return await get(askedRange(request, gateway, range));
  } catch (error) {
    if (!isInvalidRange(error)) throw error;
    gateway.layouts.forget(layoutKey(request));
    return await firstByte(get);
  }
}

async function firstByte(get: (asked: { readonly range: ByteRange }) => Promise<ObjectBody>): Promise<ObjectBody> {
  try {
    return await get({ range: { first: 0, last: 0 } });
  } catch (error) {
    // An empty object, which no range fits.
    if (isInvalidRange(error)) throw s3Error('InvalidRange', undefined, { cause: error });
    throw error;
  }
}

function isInvalidRange(error: unknown): boolean {
  return error instanceof S3Error && error.code === 'InvalidRange';
}

/** The object that a request names, in the store's terms. */
export function addressOf({ bucket, key, query }: ObjectRequest): {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
} {
  const versionId = query.get('versionId');
  return { bucket, key, ...(versionId === undefined ? {} : { versionId }) };
}

/** The client's conditions as the backend must see them. */
export function objectConditions(request: ObjectRequest): Conditions {
  const conditions = requestConditions(request.headers);
  return request.policy.encryption.mode === 'off' ? conditions : mapConditions(conditions);
}

/** What the client gets of an object's head; `body` is left out by HEAD. */
export interface Answer {
  readonly etag: string;
  readonly sizeBytes: number;
  readonly range?: ResolvedRange | undefined;
  readonly body?: ByteStream;
  readonly checksums?: ObjectChecksums | undefined;
}

/** Whether the client asks for checksums: they are of a whole object, so ranges have none. */
export function wantsChecksums({ headers }: ObjectRequest): boolean {
  return headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED';
}

/** Renders GET and HEAD alike, so that they cannot differ. */
export function answer(
  request: ObjectRequest,
  head: ObjectHead,
  { etag, sizeBytes, range, body, checksums }: Answer,
): OperationResult {
  const headers: Record<string, string> = {
    ...responseObjectHeaders(head.headers),
    'last-modified': head.lastModified,
    'accept-ranges': 'bytes',
    etag,
    ...(checksums === undefined ? {} : sealedChecksumHeaders(checksums)),
    ...responseOverrides(request.query),
  };
  if (range === undefined) {
    headers['content-length'] = String(sizeBytes);
  } else {
    headers['content-length'] = String(range.last - range.first + 1);
    headers['content-range'] = contentRange(range.first, range.last, sizeBytes);
  }
  return { status: range === undefined ? 200 : 206, headers, ...(body === undefined ? {} : { body }) };
}

/** An object that is not encrypted, under a policy that lets it be read: as it is stored. */
async function answerPlain(
  request: ObjectRequest,
  stored: ObjectBody,
  range: RequestedRange | undefined,
): Promise<OperationResult> {
  const { sizeBytes, body } = stored;
  const etag = shownEtag(request, stored.etag);
  if (range === undefined) return answer(request, stored, { etag, sizeBytes, body });
  const resolved = resolveRange(range, sizeBytes);
  if (stored.offsetBytes === resolved.first && stored.lengthBytes === resolved.last - resolved.first + 1) {
    return answer(request, stored, { etag, sizeBytes, range: resolved, body });
  }
  await stored.discard();
  const again = await request.backend.store.getObject(
    { ...addressOf(request), conditions: { ifMatch: stored.etag }, range: resolved },
    { signal: request.signal },
  );
  return answer(request, again, { etag, sizeBytes: again.sizeBytes, range: resolved, body: again.body });
}
