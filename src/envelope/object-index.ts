/** The index region at the end of every object (docs/format/format-1.md, section 6). */
import type { ByteStream } from '../base/byte-stream.ts';
import { aeadOverheadBytes, openAead, sealAead } from '../crypto/aead.ts';
import { systemRandom, type RandomSource } from '../crypto/random.ts';
import { decodeChecksums, encodeChecksums, maxChecksumsBytes, type SealedChecksum } from './checksums.ts';
import { layouts, type EnvelopeFields } from './envelope-fields.ts';
import { EnvelopeError, authenticated } from './envelope-error.ts';
import { FieldReader, malformed, u16, u32, u64, u8 } from './field-reader.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { plaintextSizeOrThrow } from './sealed-metadata.ts';
import { maxPartNumber, maxPlaintextBytes, minPartBytes, partStoredSize, storedSize } from './sizes.ts';
import { isZero, zeroStream } from './zeros.ts';

/** Length of an attempt tag: the first bytes of a FLOE header's tag. */
export const attemptTagBytes = 8;
/** Length of the sealed length and the magic. */
export const trailerBytes = 8;
/** How much of an object's end to read at first: enough for 3 600 parts. */
export const indexTailBytes = 65_536;

/** One part of an object, in order. */
export interface IndexPart {
  /** 1 to 10 000; 0 for the one part of the single layout. */
  readonly partNumber: number;
  readonly plaintextBytes: number;
  /** 8 bytes; all zero where it is not known (multipart only). */
  readonly attemptTag: Uint8Array;
}

/** Which parts an object consists of. */
export interface ObjectIndex {
  readonly totalPlaintextBytes: number;
  readonly parts: readonly IndexPart[];
  /** Of the client's bytes as a whole. */
  readonly checksums: readonly SealedChecksum[];
}

/** An index region ready to be sent. In very large objects the padding has hundreds of megabytes, so it is streamed. */
export interface IndexRegion {
  readonly lengthBytes: number;
  /** Zeros before the sealed index. */
  readonly paddingBytes: number;
  /** Sealed index and trailer. */
  readonly sealed: Uint8Array;
  /** The whole region; may be iterated several times. */
  stream(): ByteStream;
}

/** What a region is built from. */
export interface BuildIndexInput {
  readonly secrets: ObjectSecrets;
  readonly index: ObjectIndex;
  readonly layout: EnvelopeFields['layout'];
  readonly segmentSizeBytes: number;
  readonly random?: RandomSource;
}

/** What an index is opened with. */
export interface OpenIndexInput {
  readonly secrets: ObjectSecrets;
  /** The envelope's. */
  readonly layout: EnvelopeFields['layout'];
  /** The envelope's. */
  readonly segmentSizeBytes: number;
  /** The last bytes of the object, as many as were read. */
  readonly tail: Uint8Array;
  /** Length of the whole stored object. */
  readonly storedBytes: number;
}

const version = 1;
const magic = Buffer.from('S3E1');
const fixedBytes = 1 + 1 + 8 + 2;
const partEntryBytes = 2 + 8 + attemptTagBytes;
const minSealedBytes = aeadOverheadBytes + fixedBytes + partEntryBytes + 1;

/** Longest sealed index of so many parts. */
export function maxSealedIndexBytes(partCount: number): number {
  return aeadOverheadBytes + fixedBytes + partEntryBytes * partCount + maxChecksumsBytes;
}

/**
 * The region that goes behind the messages and fills the object up to its stored size (F1-IDX-1).
 * @throws RangeError for an index that breaks the format.
 */
export function buildIndexRegion(input: BuildIndexInput): IndexRegion {
  const { secrets, index, layout, segmentSizeBytes, random = systemRandom } = input;
  const problem = indexProblem(index, layout);
  if (problem !== undefined) throw new RangeError(problem.message);
  const storedBytes = storedSize(index.totalPlaintextBytes);
  using key = secrets.indexKey();
  // A fresh nonce for each build: F1-IDX-6
  const box = sealAead({ key, plaintext: encodeIndex(index, layout), aad: indexAad(secrets, storedBytes), random });
  const sealed = Buffer.concat([box, u32(box.length), magic]);
  const lengthBytes = storedBytes - messagesSize(index.parts, segmentSizeBytes);
  const paddingBytes = lengthBytes - sealed.length;
  return {
    lengthBytes,
    paddingBytes,
    sealed,
    stream: () => regionStream(paddingBytes, sealed),
  };
}

/** The region in one piece of memory, for one that is known to be small. */
export function contiguousRegion({ lengthBytes, paddingBytes, sealed }: IndexRegion): Uint8Array {
  const region = Buffer.alloc(lengthBytes);
  region.set(sealed, paddingBytes);
  return region;
}

/**
 * Opens the index from the end of an object and checks all of it, and the padding as far as `tail` has it.
 * @returns the index, or how many bytes the tail has to have.
 * @throws EnvelopeError `not_format_1`, `malformed`, `unsupported`, `authentication_failed` or `size_mismatch`.
 */
export function openIndex(input: OpenIndexInput): ObjectIndex | { readonly needBytes: number } {
  const { secrets, layout, segmentSizeBytes, tail, storedBytes } = input;
  const plaintextBytes = plaintextSizeOrThrow(storedBytes);
  if (tail.length > storedBytes) throw malformed('the tail is longer than the object');
  if (tail.length < trailerBytes) return { needBytes: trailerBytes };
  // Several messages take more room than one, but an index that opens and is right always fits (F1-IDX-1).
  const room = storedBytes - trailerBytes - partStoredSize(plaintextBytes, segmentSizeBytes);
  const sealedBytes = readTrailer(tail, room);
  if (tail.length < sealedBytes + trailerBytes) return { needBytes: sealedBytes + trailerBytes };

  const sealedStart = tail.length - trailerBytes - sealedBytes;
  const sealed = tail.subarray(sealedStart, sealedStart + sealedBytes);
  using key = secrets.indexKey();
  // F1-IDX-5
  const opened = authenticated(() => openAead({ key, sealed, aad: indexAad(secrets, storedBytes) }));
  const index = decodeIndex(opened, layout);
  if (index.totalPlaintextBytes !== plaintextBytes) throw sizeMismatch();

  const messagesBytes = messagesSize(index.parts, segmentSizeBytes);
  const paddingBytes = storedBytes - messagesBytes - sealedBytes - trailerBytes;
  // F1-IDX-2: the tail may begin within the messages.
  if (!isZero(tail.subarray(Math.max(0, sealedStart - paddingBytes), sealedStart))) {
    throw malformed('the padding is not zero');
  }
  return index;
}

/** Length of all messages together. */
export function messagesSize(parts: readonly Pick<IndexPart, 'plaintextBytes'>[], segmentSizeBytes: number): number {
  return parts.reduce((sum, { plaintextBytes }) => sum + partStoredSize(plaintextBytes, segmentSizeBytes), 0);
}

/** The sealed length, within its bounds (F1-IDX-3, F1-IDX-4); `room` is what the messages leave to it at most. */
function readTrailer(tail: Uint8Array, room: number): number {
  const trailer = Buffer.from(tail.subarray(tail.length - trailerBytes));
  if (!trailer.subarray(4).equals(magic)) throw malformed('the object does not end in an index');
  const sealedBytes = trailer.readUInt32BE(0);
  const maximum = Math.min(maxSealedIndexBytes(maxPartNumber), room);
  if (sealedBytes < minSealedBytes || sealedBytes > maximum) throw malformed('the sealed index is out of bounds');
  return sealedBytes;
}

function encodeIndex(
  { totalPlaintextBytes, parts, checksums }: ObjectIndex,
  layout: EnvelopeFields['layout'],
): Uint8Array {
  const fields: Uint8Array[] = [u8(version), u8(layouts.indexOf(layout)), u64(totalPlaintextBytes), u16(parts.length)];
  for (const part of parts) fields.push(u16(part.partNumber), u64(part.plaintextBytes), part.attemptTag);
  fields.push(encodeChecksums(checksums));
  return Buffer.concat(fields);
}

function decodeIndex(bytes: Uint8Array, layout: EnvelopeFields['layout']): ObjectIndex {
  const reader = new FieldReader(bytes);
  // F1-IDX-7
  const found = reader.u8();
  if (found !== version) throw new EnvelopeError('unsupported', `version ${found} of the index is not known`);
  if (layouts[reader.u8()] !== layout) throw malformed('the index has another layout than the envelope');
  const totalPlaintextBytes = reader.u64(maxPlaintextBytes);
  const partCount = reader.u16();
  const parts: IndexPart[] = [];
  while (parts.length < partCount) {
    parts.push({
      partNumber: reader.u16(),
      plaintextBytes: reader.u64(maxPlaintextBytes),
      attemptTag: reader.bytes(attemptTagBytes),
    });
  }
  const index = { totalPlaintextBytes, parts, checksums: decodeChecksums(reader) };
  // F1-IDX-11
  reader.end();
  const problem = indexProblem(index, layout);
  if (problem !== undefined) throw problem;
  return index;
}

/** What is wrong with an index, for writers and readers alike. */
function indexProblem(
  { totalPlaintextBytes, parts }: ObjectIndex,
  layout: EnvelopeFields['layout'],
): EnvelopeError | undefined {
  // F1-IDX-9
  const [lowest, highest] = layout === 'single' ? [0, 0] : [1, maxPartNumber];
  if (parts.length === 0) return malformed('an index has at least one part');
  let previous = lowest - 1;
  let sum = 0;
  for (const [position, { partNumber, plaintextBytes, attemptTag }] of parts.entries()) {
    if (!Number.isInteger(partNumber) || partNumber <= previous || partNumber > highest) {
      return malformed('part numbers are not ascending within those of the layout');
    }
    if (!Number.isSafeInteger(plaintextBytes) || plaintextBytes < 0) return malformed('a part has no length');
    // F1-IDX-10
    if (plaintextBytes < minPartBytes && position < parts.length - 1) return malformed('a part is too small');
    if (attemptTag.length !== attemptTagBytes) return malformed('an attempt tag has 8 bytes');
    previous = partNumber;
    sum += plaintextBytes;
  }
  // F1-IDX-8
  return sum === totalPlaintextBytes ? undefined : sizeMismatch();
}

function indexAad(secrets: ObjectSecrets, storedBytes: number): Uint8Array {
  return Buffer.concat([Buffer.from('s3eg1 index'), u8(version), secrets.commitment, u64(storedBytes)]);
}

async function* regionStream(paddingBytes: number, sealed: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield* zeroStream(paddingBytes);
  yield sealed;
}

function sizeMismatch(): EnvelopeError {
  return new EnvelopeError('size_mismatch', 'the lengths of the index do not add up to that of the object');
}
