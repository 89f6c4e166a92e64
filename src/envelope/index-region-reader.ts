import type { ByteReader } from '../base/byte-reader.ts';
import type { Envelope } from './envelope.ts';
import { EnvelopeError, authenticationFailed } from './envelope-error.ts';
import { malformed } from './field-reader.ts';
import type { ObjectLayout } from './layout.ts';
import { attemptTagOf } from './message.ts';
import { maxSealedIndexBytes, openIndex, trailerBytes, type ObjectIndex } from './object-index.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { isZero } from './zeros.ts';

const paddingChunkBytes = 65_536;

/** What the end of an object is checked against. */
export interface IndexRegionInput {
  readonly secrets: ObjectSecrets;
  readonly envelope: Envelope;
  readonly layout: ObjectLayout;
  /** Stands behind the messages. */
  readonly reader: ByteReader;
}

/**
 * Reads an object from behind its messages to its end: padding all zero, an index that opens and says what the layout
 * says, and nothing behind it (F1-READ-3, F1-READ-4). Memory is bounded by the index, not by the padding.
 * @throws EnvelopeError of any code.
 */
export async function readIndexRegion(input: IndexRegionInput): Promise<ObjectIndex> {
  const { secrets, envelope, layout, reader } = input;
  const regionBytes = layout.storedBytes - layout.messagesBytes;
  const tailBytes = Math.min(regionBytes, maxSealedIndexBytes(layout.parts.length) + trailerBytes);
  await skipZeros(reader, regionBytes - tailBytes);
  const tail = Buffer.concat(await readFully(reader, tailBytes));
  const index = openIndex({
    secrets,
    tail,
    storedBytes: layout.storedBytes,
    layout: envelope.layout,
    segmentSizeBytes: envelope.segmentSizeBytes,
  });
  if ('needBytes' in index) throw malformed('the index is longer than the part table');
  if (!sameParts(index, layout, envelope)) throw authenticationFailed();
  if (!(await reader.atEnd())) throw new EnvelopeError('size_mismatch', 'there are bytes behind the object');
  return index;
}

/** F1-IDX-2 */
async function skipZeros(reader: ByteReader, lengthBytes: number): Promise<void> {
  for (let left = lengthBytes; left > 0; left -= paddingChunkBytes) {
    const pieces = await readFully(reader, Math.min(left, paddingChunkBytes));
    if (!pieces.every(isZero)) throw malformed('the padding is not zero');
  }
}

async function readFully(reader: ByteReader, lengthBytes: number): Promise<Uint8Array[]> {
  const pieces = await reader.read(lengthBytes);
  const got = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (got < lengthBytes) throw new EnvelopeError('truncated', 'the stored object ended within its index');
  return pieces;
}

/** Whether the index names the very messages that were read; for the single layout that one of the envelope (F1-IDX-9). */
function sameParts(index: ObjectIndex, layout: ObjectLayout, { floeHeader }: Envelope): boolean {
  const single = floeHeader === undefined ? undefined : attemptTagOf(floeHeader);
  return (
    index.parts.length === layout.parts.length &&
    index.parts.every((part, position) => {
      const known = layout.parts[position];
      const tag = known?.attemptTag ?? single;
      return (
        part.partNumber === known?.partNumber &&
        part.plaintextBytes === known.plaintextBytes &&
        tag !== undefined &&
        Buffer.compare(part.attemptTag, tag) === 0
      );
    })
  );
}
