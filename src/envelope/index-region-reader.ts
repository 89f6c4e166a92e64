import type { ByteReader } from '../base/byte-reader.ts';
import { totalLength } from '../crypto/floe-segment.ts';
import type { Envelope } from './envelope.ts';
import { EnvelopeError, authenticationFailed } from './envelope-error.ts';
import { malformed } from './field-reader.ts';
import type { LayoutPart, ObjectLayout } from './layout.ts';
import { attemptTagOf } from './message.ts';
import { maxSealedIndexBytes, openIndex, trailerBytes, type IndexPart, type ObjectIndex } from './object-index.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { isZero } from './zeros.ts';

const paddingChunkBytes = 65_536;

/** What the end of an object is checked against. */
export interface IndexRegionInput {
  readonly secrets: ObjectSecrets;
  readonly envelope: Envelope;
  readonly layout: ObjectLayout;
}

/**
 * Reads an object from behind its messages to its end: padding all zero, an index that opens and says what the layout
 * says, and nothing behind it (F1-READ-3, F1-READ-4). Memory is bounded by the index, not by the padding.
 * @throws EnvelopeError of any code.
 */
export async function readIndexRegion(reader: ByteReader, input: IndexRegionInput): Promise<ObjectIndex> {
  const { paddingBytes, tailBytes } = regionOf(input.layout);
  await skipZeros(reader, paddingBytes);
  const index = await readFully(reader, tailBytes, (pieces) => openTail(Buffer.concat(pieces), input));
  await assertEnd(reader);
  return index;
}

/**
 * The same of a region that was read whole, but for what may stand behind it.
 * @throws EnvelopeError of any code.
 */
export function openIndexRegion(region: Uint8Array, input: IndexRegionInput): ObjectIndex {
  const { paddingBytes } = regionOf(input.layout);
  if (!isZero(region.subarray(0, paddingBytes))) throw notZero();
  return openTail(region.subarray(paddingBytes), input);
}

/** @throws EnvelopeError `size_mismatch` unless the reader is at the end of what it reads. */
export async function assertEnd(reader: ByteReader): Promise<void> {
  if (!(await reader.atEnd())) throw new EnvelopeError('size_mismatch', 'there are bytes behind the object');
}

/** The tail has room for the longest index of so many parts; what is in front of it can only be padding. */
function regionOf(layout: ObjectLayout): { readonly paddingBytes: number; readonly tailBytes: number } {
  const regionBytes = layout.storedBytes - layout.messagesBytes;
  const tailBytes = Math.min(regionBytes, maxSealedIndexBytes(layout.parts.length) + trailerBytes);
  return { paddingBytes: regionBytes - tailBytes, tailBytes };
}

function openTail(tail: Uint8Array, { secrets, envelope, layout }: IndexRegionInput): ObjectIndex {
  const index = openIndex({
    secrets,
    tail,
    storedBytes: layout.storedBytes,
    layout: envelope.layout,
    segmentSizeBytes: envelope.segmentSizeBytes,
  });
  // No index of the parts that were read is so long.
  if ('needBytes' in index) throw authenticationFailed();
  checkParts(index, layout, envelope);
  return index;
}

/** F1-IDX-2 */
async function skipZeros(reader: ByteReader, lengthBytes: number): Promise<void> {
  for (let left = lengthBytes; left > 0; left -= paddingChunkBytes) {
    const areZero = await readFully(reader, Math.min(left, paddingChunkBytes), (pieces) => pieces.every(isZero));
    if (!areZero) throw notZero();
  }
}

function notZero(): EnvelopeError {
  return malformed('the padding is not zero');
}

async function readFully<Result>(
  reader: ByteReader,
  lengthBytes: number,
  use: (pieces: readonly Uint8Array[]) => Result,
): Promise<Result> {
  return await reader.lend(lengthBytes, (pieces) => {
    if (totalLength(pieces) === lengthBytes) return use(pieces);
    throw new EnvelopeError('truncated', 'the stored object ended within its index');
  });
}

/** The index has to name the very messages that were read: those of the layout, for a single one that of the envelope. */
function checkParts(index: ObjectIndex, layout: ObjectLayout, { floeHeader }: Envelope): void {
  if (floeHeader !== undefined) {
    // F1-IDX-9; `openIndex` made sure of one part, and its length follows from the object's.
    const tag = index.parts[0]?.attemptTag ?? new Uint8Array();
    if (Buffer.compare(tag, attemptTagOf(floeHeader)) !== 0) throw malformed('the index names another message');
    return;
  }
  const same =
    layout.parts.length === index.parts.length &&
    layout.parts.every((known, position) => {
      const part = index.parts[position];
      return part !== undefined && samePart(part, known);
    });
  if (!same) throw authenticationFailed();
}

function samePart(part: IndexPart, { partNumber, plaintextBytes, attemptTag }: LayoutPart): boolean {
  return (
    part.partNumber === partNumber &&
    part.plaintextBytes === plaintextBytes &&
    attemptTag !== undefined &&
    Buffer.compare(part.attemptTag, attemptTag) === 0
  );
}
