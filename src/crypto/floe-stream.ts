import { ByteReader, streamOver } from '../base/byte-reader.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import { FloeError, type FloeDecryptor, type FloeEncryptor } from './floe.ts';

/**
 * Consecutive segments of one message. All of them are full but the last, which has `lastSegmentBytes` encrypted
 * bytes; `finalIncluded` says that it is the message's final one.
 */
export interface SegmentRange {
  readonly firstSegment: number;
  readonly segmentCount: number;
  readonly finalIncluded: boolean;
  readonly lastSegmentBytes: number;
}

/**
 * The whole FLOE message: header and segments, one chunk per segment, the header in the first. Every message has
 * exactly one final segment: full where the length is a multiple of the segment size, empty where there are no bytes.
 * Holds one segment and at most one chunk of the source; the encryptor stays the caller's to dispose, after the end.
 */
export function encryptMessage(encryptor: FloeEncryptor, plaintext: ByteStream): ByteStream {
  const reader = new ByteReader(plaintext);
  let position = 0;
  let finished = false;
  return streamOver(reader, async () => {
    if (finished) return undefined;
    const pieces = await reader.lend(encryptor.parameters.segmentSizeBytes);
    finished = await reader.atEnd();
    const prefix = position === 0 ? encryptor.header : undefined;
    const segment = encryptor.encryptSegment(position, pieces, finished, prefix);
    position += 1;
    return segment;
  });
}

/**
 * The plaintext, in pieces, of the segments that `ciphertext` starts with. Reads no further than the range (whole
 * chunks aside) and then closes the source, also on an error or when left early.
 * @throws FloeError `segment_invalid`, or `truncated` when the stream ends within the range.
 */
export function decryptSegments(decryptor: FloeDecryptor, ciphertext: ByteStream, range: SegmentRange): ByteStream {
  const reader = new ByteReader(ciphertext);
  return streamOver(reader, segmentPieces(decryptor, reader, range));
}

/** As `decryptSegments`, but leaves the reader open behind the range, for more messages in the same stream. */
export async function* decryptSegmentsFrom(
  decryptor: FloeDecryptor,
  reader: ByteReader,
  range: SegmentRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  const next = segmentPieces(decryptor, reader, range);
  for (let piece = await next(); piece !== undefined; piece = await next()) yield piece;
}

/** Gives one plaintext piece after the other; a segment is read when the pieces of the one before are used up. */
function segmentPieces(
  decryptor: FloeDecryptor,
  reader: ByteReader,
  range: SegmentRange,
): () => Promise<Uint8Array | undefined> {
  let ready: Uint8Array[] = [];
  let used = 0;
  let index = 0;
  return async () => {
    while (used === ready.length) {
      if (index === range.segmentCount) return undefined;
      ready = await readSegment(decryptor, reader, range, index);
      used = 0;
      index += 1;
    }
    const piece = ready[used];
    used += 1;
    return piece;
  };
}

async function readSegment(
  decryptor: FloeDecryptor,
  reader: ByteReader,
  range: SegmentRange,
  index: number,
): Promise<Uint8Array[]> {
  const isLast = index === range.segmentCount - 1;
  const wanted = isLast ? range.lastSegmentBytes : decryptor.encryptedSegmentBytes;
  const pieces = await reader.lend(wanted);
  const got = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (got < wanted) throw new FloeError('truncated', 'stream ended before the end of the message');
  return decryptor.decryptSegment(range.firstSegment + index, pieces, isLast && range.finalIncluded);
}
