import { timingSafeEqual } from 'node:crypto';

import { ByteReader } from '../base/byte-reader.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import { ownedStream } from '../base/owned-stream.ts';
import { readAll } from '../base/streams.ts';
import { floeHeaderBytes } from '../crypto/floe.ts';
import { EnvelopeError } from '../envelope/envelope-error.ts';
import { ObjectLayout, singleRangeGuess, type RangePlan } from '../envelope/layout.ts';
import { indexTailBytes, openIndex, type ObjectIndex } from '../envelope/object-index.ts';
import { decryptRange, decryptWholeMultipart, decryptWholeSingle } from '../envelope/object-reader.ts';
import type { RequestedRange, ResolvedRange } from '../s3/range.ts';
import type { ByteRange, ObjectBody, ObjectHead } from '../store/object-store.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import type { KnownLayout, LayoutKey } from './layout-cache.ts';
import type { OpenedObject } from './object-decryption.ts';

/** Longest index that is read into memory: 10 000 parts of 18 bytes and some. */
const maxIndexBytes = 256 * 1024;

/** A stored object that is being answered. */
export interface Reading {
  readonly request: ObjectRequest;
  readonly gateway: Gateway;
  readonly stored: ObjectBody;
  readonly opened: OpenedObject;
  /** In plaintext bytes; the whole object where missing. */
  readonly range: ResolvedRange | undefined;
  /** For a whole object of the single layout: called with its index once all of it verified. */
  readonly onIndex?: (index: ObjectIndex) => void;
}

/**
 * Which stored bytes to ask for before the object is known: where it was read before, its own layout says; else the
 * layout that the policy gives to single puts. The answer is checked against the object's true layout.
 */
export function askedRange(
  request: ObjectRequest,
  gateway: Gateway,
  range: RequestedRange | undefined,
): { readonly range?: ByteRange } {
  if (range === undefined) return {};
  if (request.policy.encryption.mode === 'off') return { range };
  const known = gateway.layouts.find(layoutKey(request));
  if (known !== undefined) {
    const size = known.layout.plaintextBytes;
    const first = 'suffix' in range ? Math.max(0, size - range.suffix) : range.first;
    const last = 'suffix' in range ? size - 1 : Math.min(range.last ?? size - 1, size - 1);
    if (first <= last) {
      const plan = known.layout.locate({ first, last });
      return { range: { first: plan.storedFirst, last: plan.storedLast } };
    }
  }
  return { range: singleRangeGuess({ segmentSizeBytes: request.policy.encryption.segmentSizeBytes, range }) };
}

/** The plaintext asked for; consumes or discards `stored`. */
export async function readDecrypted(reading: Reading): Promise<ByteStream> {
  const { opened, range, stored } = reading;
  const { envelope, secrets } = opened;
  const pool = reading.gateway.segmentPool;
  if (envelope.layout === 'single') {
    if (range === undefined) {
      const { onIndex } = reading;
      const whole = { secrets, envelope, storedBytes: stored.sizeBytes, ciphertext: stored.body, pool };
      return decryptWholeSingle(onIndex === undefined ? whole : { ...whole, onIndex });
    }
    const { plaintextBytes } = opened;
    const layout = ObjectLayout.single({ plaintextBytes, segmentSizeBytes: envelope.segmentSizeBytes });
    const plan = layout.locate(range);
    return decryptRange({ secrets, envelope, layout, plan, ciphertext: await storedRange(reading, plan), pool });
  }
  const known = await indexedLayout(reading);
  const { layout } = known;
  if (range === undefined) {
    return decryptWholeMultipart({
      secrets,
      envelope,
      layout,
      storedBytes: stored.sizeBytes,
      ciphertext: stored.body,
      pool,
    });
  }
  const plan = layout.locate(range);
  const [firstHeader, ciphertext] = await both(partHeader(reading, known, plan), storedRange(reading, plan));
  return decryptRange({
    secrets,
    envelope,
    layout,
    plan,
    ciphertext,
    pool,
    ...(firstHeader === undefined ? {} : { firstHeader }),
  });
}

/** What an object's index says of it: from the cache if that is of this very state of the object, else from its end. */
export async function indexedLayout(
  object: Pick<Reading, 'request' | 'gateway' | 'opened'> & { readonly stored: ObjectHead },
): Promise<KnownLayout> {
  const { request, gateway, stored, opened } = object;
  const { commitment, layout, segmentSizeBytes } = opened.envelope;
  const cached = gateway.layouts.find(layoutKey(request));
  if (cached?.etag === stored.etag && timingSafeEqual(cached.commitment, commitment)) return cached;
  const index = await readIndex(request, opened, stored);
  const known: KnownLayout = {
    etag: stored.etag,
    commitment,
    layout:
      layout === 'single'
        ? ObjectLayout.single({ plaintextBytes: opened.plaintextBytes, segmentSizeBytes })
        : ObjectLayout.multipart(index, segmentSizeBytes),
    checksums: index.checksums,
    partHeaders: new Map(),
  };
  gateway.layouts.remember(layoutKey(request), known);
  return known;
}

/** Reads and opens the index at the end of an object: one backend request, two where the part table is very long. */
export async function readIndex(request: ObjectRequest, opened: OpenedObject, head: ObjectHead) {
  let tailBytes = Math.min(indexTailBytes, head.sizeBytes);
  for (;;) {
    const tail = await readStored(request, head, { first: head.sizeBytes - tailBytes, last: head.sizeBytes - 1 });
    const index = openIndex({
      secrets: opened.secrets,
      tail,
      storedBytes: head.sizeBytes,
      layout: opened.envelope.layout,
      segmentSizeBytes: opened.envelope.segmentSizeBytes,
    });
    if (!('needBytes' in index)) return index;
    if (index.needBytes <= tailBytes || index.needBytes > maxIndexBytes) {
      throw new EnvelopeError('malformed', 'the index has an impossible length');
    }
    tailBytes = index.needBytes;
  }
}

/** The header of the part that a range begins inside of: not in the stored range, so read apart, once. */
async function partHeader(reading: Reading, known: KnownLayout, plan: RangePlan): Promise<Uint8Array | undefined> {
  if (plan.headerNeeded === undefined) return undefined;
  const { storedOffset, partNumber } = plan.headerNeeded;
  const cached = known.partHeaders.get(partNumber);
  if (cached !== undefined) return cached;
  const header = await readStored(reading.request, reading.stored, {
    first: storedOffset,
    last: storedOffset + floeHeaderBytes - 1,
  });
  known.partHeaders.set(partNumber, header);
  return header;
}

/** Stored bytes from `plan.storedFirst` on: out of the answer at hand where it covers them, else asked for again. */
async function storedRange({ request, stored }: Reading, plan: RangePlan): Promise<ByteStream> {
  const end = stored.offsetBytes + stored.lengthBytes;
  if (stored.offsetBytes <= plan.storedFirst && plan.storedLast < end) {
    const skipBytes = plan.storedFirst - stored.offsetBytes;
    return skipBytes === 0 ? stored.body : skipping(stored.body, skipBytes);
  }
  await stored.discard();
  const again = await getExactly(request, stored, { first: plan.storedFirst, last: plan.storedLast });
  return again.body;
}

function skipping(source: ByteStream, bytes: number): ByteStream {
  const reader = new ByteReader(source);
  const rest = reader.rest()[Symbol.asyncIterator]();
  let isSkipped = false;
  const next = async (): Promise<Uint8Array | undefined> => {
    if (!isSkipped) await reader.read(bytes);
    isSkipped = true;
    const step = await rest.next();
    return step.done === true ? undefined : step.value;
  };
  return ownedStream(next, () => reader.close());
}

async function readStored(
  request: ObjectRequest,
  head: ObjectHead,
  range: { readonly first: number; readonly last: number },
): Promise<Uint8Array> {
  const answer = await getExactly(request, head, range);
  const length = range.last - range.first + 1;
  const bytes = await readAll(answer.body, length, () => new EnvelopeError('malformed', 'the backend sent too much'));
  if (bytes.length !== length) throw new EnvelopeError('truncated', 'the backend sent too little');
  return bytes;
}

/** A range of exactly the state of the object that `head` is of. */
export async function getExactly(
  request: ObjectRequest,
  head: ObjectHead,
  range: { readonly first: number; readonly last: number },
): Promise<ObjectBody> {
  const { bucket, key, signal } = request;
  // A version that the client did not name is still named here, where the backend has one.
  const versionId = request.query.get('versionId') ?? head.headers['x-amz-version-id'];
  const answer = await request.backend.store.getObject(
    {
      bucket,
      key,
      ...(versionId === undefined ? {} : { versionId }),
      range,
      conditions: { ifMatch: head.etag },
    },
    { signal },
  );
  if (answer.offsetBytes !== range.first || answer.lengthBytes !== range.last - range.first + 1) {
    await answer.discard();
    throw new EnvelopeError('size_mismatch', 'the backend answered another range than was asked for');
  }
  return answer;
}

/** How the layout cache knows the object of a request. */
export function layoutKey(request: ObjectRequest): LayoutKey {
  const { backend, bucket, key, query } = request;
  return { backend: backend.name, bucket, key, versionId: query.get('versionId') };
}

/** Both results; when one fails, the other is released before the failure goes on. */
async function both(
  header: Promise<Uint8Array | undefined>,
  body: Promise<ByteStream>,
): Promise<[Uint8Array | undefined, ByteStream]> {
  const [headerResult, bodyResult] = await Promise.allSettled([header, body]);
  if (headerResult.status === 'rejected') {
    if (bodyResult.status === 'fulfilled') await bodyResult.value[Symbol.asyncIterator]().return?.();
    throw headerResult.reason;
  }
  if (bodyResult.status === 'rejected') throw bodyResult.reason;
  return [headerResult.value, bodyResult.value];
}
