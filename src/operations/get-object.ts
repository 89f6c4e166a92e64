import type { ByteStream } from '../base/byte-stream.ts';
import { releasing } from '../base/streams.ts';
import { requestConditions } from '../s3/conditions.ts';
import { clientEtag, mapConditions } from '../s3/etag.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { responseOverrides } from '../s3/operation-table.ts';
import { contentRange, parseRange, resolveRange, type RequestedRange, type ResolvedRange } from '../s3/range.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { ByteRange, Conditions, ObjectBody, ObjectHead } from '../store/object-store.ts';
import { sealedChecksumHeaders } from './checksums.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { openObject, type OpenedObject } from './object-decryption.ts';
import { askedRange, layoutKey, readDecrypted } from './object-reading.ts';

/**
 * GetObject. One backend request for a whole object of one message, and for a range of one; for a multipart object the
 * index takes another, once, and a range is then asked for again at its true place.
 */
export async function getObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const range = parseRange(request.headers['range']);
  const stored = await getStored(request, gateway, range);
  let opened: OpenedObject | undefined;
  try {
    opened = await openObject(gateway, request, stored);
    if (opened === undefined) return await answerPlain(request, stored, range);
    const resolved = range === undefined ? undefined : resolveRange(range, opened.plaintextBytes);
    const body = await readDecrypted({ request, gateway, stored, opened, range: resolved });
    const { secrets } = opened;
    return answer(request, stored, {
      sizeBytes: opened.plaintextBytes,
      range: resolved,
      body: releasing(body, () => secrets.dispose()),
      opened,
    });
  } catch (error) {
    opened?.secrets.dispose();
    await stored.discard();
    throw error;
  }
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
  readonly sizeBytes: number;
  readonly range?: ResolvedRange | undefined;
  readonly body?: ByteStream;
  readonly opened?: OpenedObject | undefined;
}

/** Renders GET and HEAD alike, so that they cannot differ. */
export function answer(
  request: ObjectRequest,
  head: ObjectHead,
  { sizeBytes, range, body, opened }: Answer,
): OperationResult {
  const etag = request.policy.encryption.mode === 'off' ? head.etag : clientEtag(head.etag);
  const wantsChecksums = request.headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED' && range === undefined;
  const headers: Record<string, string> = {
    ...responseObjectHeaders(head.headers),
    'last-modified': head.lastModified,
    'accept-ranges': 'bytes',
    etag,
    ...(wantsChecksums && opened !== undefined ? sealedChecksumHeaders(opened.metadata.checksums) : {}),
    ...responseOverrides(Array.from(request.query, ([name, value]) => ({ name, value }))),
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
  if (range === undefined) return answer(request, stored, { sizeBytes: stored.sizeBytes, body: stored.body });
  const resolved = resolveRange(range, stored.sizeBytes);
  if (stored.offsetBytes === resolved.first && stored.lengthBytes === resolved.last - resolved.first + 1) {
    return answer(request, stored, { sizeBytes: stored.sizeBytes, range: resolved, body: stored.body });
  }
  await stored.discard();
  const again = await request.backend.store.getObject(
    { ...addressOf(request), conditions: { ifMatch: stored.etag }, range: resolved },
    { signal: request.signal },
  );
  return answer(request, again, { sizeBytes: again.sizeBytes, range: resolved, body: again.body });
}
