/** Writes messages and whole objects of format 1 as streams. */
import { ByteReader } from '../base/byte-reader.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import { FloeEncryptor, type FloeSuite } from '../crypto/floe.ts';
import { totalLength } from '../crypto/floe-segment.ts';
import { encryptMessage } from '../crypto/floe-stream.ts';
import type { SegmentPool } from '../crypto/pool/segment-pool.ts';
import { systemRandom, type RandomSource } from '../crypto/random.ts';
import type { SealedChecksum } from './checksums.ts';
import { EnvelopeError } from './envelope-error.ts';
import { attemptTagOf, messageAad } from './message.ts';
import { buildIndexRegion, contiguousRegion, type IndexRegion } from './object-index.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { ownedStream } from '../base/owned-stream.ts';
import { maxPartNumber, maxPlaintextBytes, partStoredSize, storedSize } from './sizes.ts';

export { partPlaintextSize } from './sizes.ts';

/** A last segment and an index region up to this length go out as one chunk: copying them is cheaper than a write. A small object is no longer. */
const joinBelowBytes = 65_536;

/** What every message is made of. */
interface MessageInput {
  /** May be disposed as soon as the call returned. */
  readonly secrets: ObjectSecrets;
  readonly suite: FloeSuite;
  readonly segmentSizeBytes: number;
  readonly plaintext: ByteStream;
  /** Exactly so many bytes `plaintext` has. */
  readonly plaintextBytes: number;
  /** Threads for large messages; without, all is encrypted on the event loop. */
  readonly pool?: SegmentPool | undefined;
  /** Injected by tests only. */
  readonly random?: RandomSource;
}

/** A whole object of the single layout. */
export interface EncryptObjectInput extends MessageInput {
  /** Called once, after the plaintext ended. */
  readonly checksums: () => readonly SealedChecksum[];
}

/** A part of the multipart layout. */
export interface EncryptPartInput extends MessageInput {
  /** 1 to 10 000. */
  readonly partNumber: number;
}

/** An object about to be sent; `body` is to be iterated once. */
export interface EncryptedObject {
  /** For the envelope. */
  readonly floeHeader: Uint8Array;
  readonly storedBytes: number;
  readonly body: ByteStream;
}

/** A part about to be sent; `body` is to be iterated once. */
export interface EncryptedPart {
  readonly header: Uint8Array;
  /** 8 bytes for the index. */
  readonly attemptTag: Uint8Array;
  readonly storedBytes: number;
  readonly body: ByteStream;
}

/**
 * Encrypts a PutObject: the message, then the index region. The body fails with EnvelopeError `size_mismatch` when the
 * plaintext has another length; what the plaintext's stream throws passes unchanged.
 */
export function encryptObject(input: EncryptObjectInput): EncryptedObject {
  const { plaintextBytes, segmentSizeBytes } = input;
  const isSmall = plaintextBytes <= Math.min(segmentSizeBytes, joinBelowBytes);
  return isSmall ? encryptAtOnce(input) : encryptBySegments(input);
}

/** A small object of one segment: one chunk, which costs less than the same steps as a stream. */
function encryptAtOnce(input: EncryptObjectInput): EncryptedObject {
  const { plaintext, plaintextBytes, pool } = input;
  const encryptor = startEncryptor(input, 0);
  const secrets = input.secrets.clone();
  const reader = new ByteReader(plaintext);
  let isGiven = false;
  const next = async (): Promise<Uint8Array | undefined> => {
    if (isGiven) return undefined;
    isGiven = true;
    const message = await reader.lend(plaintextBytes, (pieces) => {
      if (totalLength(pieces) < plaintextBytes) throw lengthMismatch();
      return encryptor.encryptSegment(0, pieces, true, encryptor.header);
    });
    // Before the checksums, which are known at the plaintext's end (F1-MSG-7).
    if (!(await reader.atEnd())) throw lengthMismatch();
    pool?.countInline(1);
    return Buffer.concat([message, contiguousRegion(indexRegionOf({ ...input, secrets }, encryptor))]);
  };
  const close = async () => {
    secrets.dispose();
    encryptor.dispose();
    await reader.close();
  };
  return { floeHeader: encryptor.header, storedBytes: storedSize(plaintextBytes), body: ownedStream(next, close) };
}

function encryptBySegments(input: EncryptObjectInput): EncryptedObject {
  const { plaintextBytes, segmentSizeBytes } = input;
  const messageBytes = partStoredSize(plaintextBytes, segmentSizeBytes);
  const { encryptor, body } = startMessage(input, 0);
  const secrets = input.secrets.clone();
  const messages = body[Symbol.asyncIterator]();

  let sentBytes = 0;
  let region: AsyncIterator<Uint8Array> | undefined;
  let last: Uint8Array | undefined;
  const next = async (): Promise<Uint8Array | undefined> => {
    if (region !== undefined) return valueOf(await region.next());
    const chunk = last ?? valueOf(await messages.next());
    if (chunk === undefined) throw lengthMismatch();
    sentBytes += chunk.length;
    if (sentBytes < messageBytes) return chunk;
    const built = indexRegionOf({ ...input, secrets }, encryptor);
    const joins = chunk.length <= joinBelowBytes && built.lengthBytes <= joinBelowBytes;
    region = (joins ? nothing() : built.stream())[Symbol.asyncIterator]();
    return joins ? Buffer.concat([chunk, contiguousRegion(built)]) : chunk;
  };
  const ready = (): Uint8Array | undefined => {
    const chunk = region === undefined && last === undefined ? messages.ready?.() : undefined;
    if (chunk === undefined) return undefined;
    // The index region goes with the last.
    if (sentBytes + chunk.length >= messageBytes) last = chunk;
    else sentBytes += chunk.length;
    return last === undefined ? chunk : undefined;
  };
  const close = async () => {
    secrets.dispose();
    await messages.return?.();
  };
  return {
    floeHeader: encryptor.header,
    storedBytes: storedSize(plaintextBytes),
    body: ownedStream(next, close, ready),
  };
}

/** The index region of an object whose plaintext has ended. */
function indexRegionOf(input: EncryptObjectInput, { header }: FloeEncryptor): IndexRegion {
  const { secrets, plaintextBytes, segmentSizeBytes, checksums, random = systemRandom } = input;
  const parts = [{ partNumber: 0, plaintextBytes, attemptTag: attemptTagOf(header) }];
  const index = { totalPlaintextBytes: plaintextBytes, parts, checksums: checksums() };
  return buildIndexRegion({ secrets, index, layout: 'single', segmentSizeBytes, random });
}

/** Encrypts a part of a multipart upload, under a fresh FLOE IV each time; the body fails as that of `encryptObject`. */
export function encryptPart(input: EncryptPartInput): EncryptedPart {
  const { partNumber, plaintextBytes, segmentSizeBytes } = input;
  // F1-MSG-3
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > maxPartNumber) {
    throw new RangeError(`the number of a part is 1 to ${maxPartNumber}`);
  }
  const { encryptor, body } = startMessage(input, partNumber);
  return {
    header: encryptor.header,
    attemptTag: attemptTagOf(encryptor.header),
    storedBytes: partStoredSize(plaintextBytes, segmentSizeBytes),
    body,
  };
}

/** What encrypts a message under a fresh IV (F1-MSG-1). */
function startEncryptor(input: MessageInput, partNumber: number): FloeEncryptor {
  const { secrets, suite, segmentSizeBytes, plaintextBytes, random = systemRandom } = input;
  // F1-SIZE-3; of a length that is no number, nothing would ever differ.
  if (!Number.isSafeInteger(plaintextBytes) || plaintextBytes < 0 || plaintextBytes > maxPlaintextBytes) {
    throw new RangeError('a message has 0 bytes to 50 TiB');
  }
  using key = secrets.messageKey(partNumber);
  return new FloeEncryptor(key, messageAad(partNumber), { suite, segmentSizeBytes }, { random });
}

/** A message as a stream; its keys are cleared when that ends. */
function startMessage(input: MessageInput, partNumber: number): { encryptor: FloeEncryptor; body: ByteStream } {
  const { plaintext, plaintextBytes, pool } = input;
  const encryptor = startEncryptor(input, partNumber);
  const chunks = encryptMessage(
    encryptor,
    exactly(plaintext, plaintextBytes),
    pool === undefined ? undefined : { pool, plaintextBytes },
  )[Symbol.asyncIterator]();
  const close = async () => {
    encryptor.dispose();
    await chunks.return?.();
  };
  const body = ownedStream(
    async () => valueOf(await chunks.next()),
    close,
    () => chunks.ready?.(),
  );
  return { encryptor, body };
}

/** The stream, which fails instead of ending or going on at another length (F1-MSG-7). */
function exactly(source: ByteStream, lengthBytes: number): ByteStream {
  const chunks = source[Symbol.asyncIterator]();
  let left = lengthBytes;
  const next = async () => {
    if (left < 0) throw lengthMismatch();
    const chunk = valueOf(await chunks.next());
    left -= chunk?.length ?? 0;
    if (left < 0 || (chunk === undefined && left > 0)) throw lengthMismatch();
    return chunk;
  };
  const ready = () => {
    const chunk = left < 0 ? undefined : chunks.ready?.();
    left -= chunk?.length ?? 0;
    return left < 0 ? undefined : chunk;
  };
  const close = async () => {
    await chunks.return?.();
  };
  return ownedStream(next, close, ready);
}

function valueOf(step: IteratorResult<Uint8Array>): Uint8Array | undefined {
  return step.done === true ? undefined : step.value;
}

function lengthMismatch(): EnvelopeError {
  return new EnvelopeError('size_mismatch', 'the plaintext has another length than was announced');
}

async function* nothing(): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {}
