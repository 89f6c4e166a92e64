import { ByteReader } from '../base/byte-reader.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import { ownedStream } from '../base/owned-stream.ts';
import { totalLength } from './floe-segment.ts';
import { FloeError, type FloeDecryptor, type FloeEncryptor } from './floe.ts';
import { SegmentFlow, type SegmentBatch, type SegmentSource } from './pool/segment-flow.ts';
import { sealJob, type SegmentJob } from './pool/segment-job.ts';
import type { SegmentPool } from './pool/segment-pool.ts';

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

/** How a message may be encrypted beside the event loop. */
export interface MessageOffload {
  readonly pool: SegmentPool;
  /** About how long the plaintext is. */
  readonly plaintextBytes: number;
}

/** Segments that are at hand go on together up to this length: a chunk for each costs more than the cipher. */
const batchBytes = 256 * 1024;

/**
 * The whole FLOE message: header and segments, the header in the first chunk. Every message has exactly one final segment:
 * full where the length is a multiple of the segment size, empty where there are no bytes.
 * Holds one segment, or as many as the source had at hand up to 256 KiB, and at most one chunk of the source, with `offload` some segments more where threads help; the
 * encryptor stays the caller's to dispose, after the end.
 */
export function encryptMessage(encryptor: FloeEncryptor, plaintext: ByteStream, offload?: MessageOffload): ByteStream {
  const reader = new ByteReader(plaintext);
  const source = new PlaintextSegments(encryptor, reader, offload?.plaintextBytes ?? 0);
  const flow = new SegmentFlow(source, offload?.pool);
  const close = async (): Promise<void> => {
    flow.close();
    await reader.close();
  };
  return ownedStream(
    () => flow.next(),
    close,
    () => flow.ready(),
  );
}

/** The segments of a message that is to be encrypted. */
class PlaintextSegments implements SegmentSource {
  readonly segmentSizeBytes: number;
  readonly #encryptor: FloeEncryptor;
  readonly #reader: ByteReader;
  readonly #plaintextBytes: number;
  #position = 0;
  #isFinished = false;

  constructor(encryptor: FloeEncryptor, reader: ByteReader, plaintextBytes: number) {
    this.segmentSizeBytes = encryptor.parameters.segmentSizeBytes;
    this.#encryptor = encryptor;
    this.#reader = reader;
    this.#plaintextBytes = plaintextBytes;
  }

  /** Nothing is left to threads before the first segment, which has the header before it, is out. */
  get leftBytes(): number {
    return this.#position === 0 ? 0 : this.#plaintextBytes - this.#position * this.segmentSizeBytes;
  }

  async next(): Promise<SegmentBatch | undefined> {
    if (this.#isFinished) return undefined;
    await this.#reader.wait(this.segmentSizeBytes + 1);
    return this.#batch();
  }

  ready(): SegmentBatch | undefined {
    return this.#isFinished || !this.#reader.gather(this.segmentSizeBytes + 1) ? undefined : this.#batch();
  }

  /** All segments at hand that are known not to be final, as a byte comes after them; else the final one. */
  #batch(): SegmentBatch {
    const encryptor = this.#encryptor;
    const position = this.#position;
    const most = Math.max(1, Math.floor(batchBytes / this.segmentSizeBytes));
    this.#reader.gather(most * this.segmentSizeBytes + 1);
    const whole = Math.min(most, Math.floor((this.#reader.bytesAtHand - 1) / this.segmentSizeBytes));
    const prefix = position === 0 ? encryptor.header : undefined;
    const segments = Math.max(1, whole);
    const isFinal = whole < 1;
    this.#isFinished = isFinal;
    this.#position += segments;
    const chunk = this.#reader.lendNow(segments * this.segmentSizeBytes, (pieces) =>
      isFinal
        ? encryptor.encryptSegment(position, pieces, true, prefix)
        : encryptor.encryptSegments(position, pieces, prefix),
    );
    return { outputs: [chunk], segments };
  }

  async job(maxSegments: number): Promise<SegmentJob | undefined> {
    if (this.#isFinished) return undefined;
    const pieces = await this.#reader.own(maxSegments * this.segmentSizeBytes);
    this.#isFinished = await this.#reader.atEnd();
    const lengthBytes = totalLength(pieces);
    const count = Math.max(1, Math.ceil(lengthBytes / this.segmentSizeBytes));
    const tasks = Array.from({ length: count }, (_, index) => {
      const segmentBytes = Math.min(this.segmentSizeBytes, lengthBytes - index * this.segmentSizeBytes);
      return this.#encryptor.task(this.#position + index, segmentBytes, this.#isFinished && index === count - 1);
    });
    this.#position += count;
    return sealJob(tasks, pieces);
  }
}

/**
 * The plaintext, in pieces, of the segments that `ciphertext` starts with. Reads no further than the range (whole
 * chunks aside) and then closes the source, also on an error or when left early.
 * @throws FloeError `segment_invalid`, or `truncated` when the stream ends within the range.
 */
export function decryptSegments(decryptor: FloeDecryptor, ciphertext: ByteStream, range: SegmentRange): ByteStream {
  const reader = new ByteReader(ciphertext);
  return ownedStream(segmentPieces(decryptor, reader, range), () => reader.close());
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
  return await reader.lend(wanted, (pieces) => {
    if (totalLength(pieces) < wanted) throw new FloeError('truncated', 'stream ended before the end of the message');
    return decryptor.decryptSegment(range.firstSegment + index, pieces, isLast && range.finalIncluded);
  });
}
