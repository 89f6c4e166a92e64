/** Reads ranges and whole objects of format 1 from streams of stored bytes. */
import { ByteReader } from '../base/byte-reader.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import { contiguous } from '../crypto/floe-segment.ts';
import { floeHeaderBytes } from '../crypto/floe.ts';
import type { SegmentPool } from '../crypto/pool/segment-pool.ts';
import type { Envelope } from './envelope.ts';
import { authenticated, EnvelopeError } from './envelope-error.ts';
import { assertEnd, openIndexRegion, readIndexRegion } from './index-region-reader.ts';
import { ObjectLayout, type RangePlan } from './layout.ts';
import { openMessage } from './message.ts';
import type { ObjectIndex } from './object-index.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { ownedStream } from '../base/owned-stream.ts';
import { plaintextSizeOrThrow } from './sealed-metadata.ts';
import { checkHeader, SliceDecryptor } from './slice-decryptor.ts';

/** Stored length up to which an object of one segment is read whole before it is opened. */
const maxAtOnceBytes = 128 * 1024;

/** What every reading needs. */
interface ReadInput {
  /** May be disposed as soon as the call returned. */
  readonly secrets: ObjectSecrets;
  /** Opened with these secrets before (`openEnvelope`). */
  readonly envelope: Envelope;
  readonly ciphertext: ByteStream;
  /** Threads for large objects; without, all is decrypted on the event loop. */
  readonly pool?: SegmentPool | undefined;
}

/** A range; `ciphertext` begins at `plan.storedFirst` and may go on behind `plan.storedLast`. */
export interface DecryptRangeInput extends ReadInput {
  readonly layout: ObjectLayout;
  readonly plan: RangePlan;
  /** Header of the first part, where the plan says `headerNeeded`. */
  readonly firstHeader?: Uint8Array;
}

/** A whole object; `ciphertext` is all of it. */
export interface DecryptWholeInput extends ReadInput {
  readonly storedBytes: number;
  /** Called with the index once all of the object verified. */
  readonly onIndex?: (index: ObjectIndex) => void;
}

/** A whole multipart object whose index was read before. */
export interface DecryptWholeMultipartInput extends DecryptWholeInput {
  readonly layout: ObjectLayout;
}

/**
 * Exactly `plan.takeBytes` of plaintext, each byte after its segment verified. An error in the middle is thrown by the
 * iteration (F1-READ-5): EnvelopeError `authentication_failed` or `truncated`; the ciphertext's own errors pass unchanged.
 * @throws RangeError when `firstHeader` is missing.
 */
export function decryptRange({
  secrets,
  envelope,
  layout,
  plan,
  firstHeader,
  ciphertext,
  pool,
}: DecryptRangeInput): ByteStream {
  assertLayout(envelope, layout);
  if (plan.headerNeeded !== undefined && firstHeader === undefined) {
    throw new RangeError('the range needs the header of its first part');
  }
  const reader = new ByteReader(ciphertext);
  const slices = new SliceDecryptor({
    secrets,
    envelope,
    plan,
    firstHeader: firstHeader ?? envelope.floeHeader,
    reader,
    pool,
  });
  let skipBytes = plan.skipBytes;
  let takeBytes = plan.takeBytes;
  const wantedOf = (piece: Uint8Array): Uint8Array => {
    const isWhole = skipBytes === 0 && piece.length <= takeBytes;
    const wanted = isWhole ? piece : piece.subarray(skipBytes, skipBytes + takeBytes);
    skipBytes = Math.max(0, skipBytes - piece.length);
    takeBytes -= wanted.length;
    return wanted;
  };
  const isComplete = (): boolean => takeBytes === 0;
  const next = async () => {
    while (!isComplete()) {
      const piece = await slices.next();
      // Only a plan of another layout than the slices' can end early.
      if (piece === undefined) throw new RangeError('the plan has fewer bytes than it says');
      const wanted = wantedOf(piece);
      if (wanted.length > 0) return wanted;
    }
    return undefined;
  };
  const ready = () => {
    const piece = isComplete() ? undefined : slices.ready();
    return piece === undefined ? undefined : wantedOf(piece);
  };
  return ownedStream(next, () => release(slices, reader), ready);
}

/**
 * All of an object of the single layout. The last segment is held back until the index region verified (F1-READ-3).
 * @throws EnvelopeError `not_format_1`; the iteration throws all others.
 */
export function decryptWholeSingle(input: DecryptWholeInput): ByteStream {
  const { envelope, storedBytes } = input;
  const plaintextBytes = plaintextSizeOrThrow(storedBytes);
  const layout = ObjectLayout.single({ plaintextBytes, segmentSizeBytes: envelope.segmentSizeBytes });
  return decryptWhole({ ...input, layout });
}

/**
 * All of a multipart object, by the layout from its index. The last segment is held back until the index region verified
 * and the index proved to be the same (F1-READ-3, F1-READ-4).
 * @throws EnvelopeError `size_mismatch`; the iteration throws all others.
 */
export function decryptWholeMultipart(input: DecryptWholeMultipartInput): ByteStream {
  if (input.layout.storedBytes !== input.storedBytes) {
    throw new EnvelopeError('size_mismatch', 'the object has another length than its index says');
  }
  return decryptWhole(input);
}

function decryptWhole(input: DecryptWholeMultipartInput): ByteStream {
  const { envelope, layout } = input;
  assertLayout(envelope, layout);
  const plan = layout.whole();
  const isOneSegment = layout.kind === 'single' && plan.slices[0]?.segmentCount === 1;
  return isOneSegment && layout.storedBytes <= maxAtOnceBytes ? decryptAtOnce(input) : decryptBySegments(input, plan);
}

/**
 * A small object of one segment, which is held back until the index verified in any case: it is read whole and opened in one
 * go, which costs less than the same steps as a stream.
 */
function decryptAtOnce(input: DecryptWholeMultipartInput): ByteStream {
  const { layout, ciphertext, onIndex, pool } = input;
  const secrets = input.secrets.clone();
  const reader = new ByteReader(ciphertext);
  let pieces: Uint8Array[] | undefined;
  const next = async () => {
    if (pieces === undefined) {
      const { plaintext, index } = await reader.lend(layout.storedBytes, (stored) =>
        openAtOnce(contiguous(stored), { ...input, secrets }),
      );
      await assertEnd(reader);
      pool?.countInline(1);
      onIndex?.(index);
      pieces = plaintext;
    }
    return pieces.shift();
  };
  const close = async () => {
    secrets.dispose();
    await reader.close();
  };
  return ownedStream(next, close);
}

function openAtOnce(
  stored: Uint8Array,
  { secrets, envelope, layout }: DecryptWholeMultipartInput,
): { readonly plaintext: Uint8Array[]; readonly index: ObjectIndex } {
  if (stored.length < layout.storedBytes) throw new EnvelopeError('truncated', 'the stored object ended early');
  const [part] = layout.parts;
  if (part === undefined) throw new RangeError('a layout has at least one part');
  const header = stored.subarray(0, floeHeaderBytes);
  checkHeader(envelope, part, header);
  using decryptor = openMessage(secrets, envelope, part.partNumber, header);
  const segment = stored.subarray(floeHeaderBytes, layout.messagesBytes);
  // F1-MSG-5
  const plaintext = authenticated(() => decryptor.decryptSegment(0, [segment], true));
  return { plaintext, index: openIndexRegion(stored.subarray(layout.messagesBytes), { secrets, envelope, layout }) };
}

function decryptBySegments(input: DecryptWholeMultipartInput, plan: RangePlan): ByteStream {
  const { envelope, layout, ciphertext, onIndex, pool } = input;
  const secrets = input.secrets.clone();
  const reader = new ByteReader(ciphertext);
  const slices = new SliceDecryptor({ secrets, envelope, plan, firstHeader: undefined, reader, pool });
  const holdFrom = lastSegmentStart(layout);
  const held: Uint8Array[] = [];
  let position = 0;
  let verified = false;
  const next = async () => {
    while (!verified) {
      const piece = await slices.next();
      if (piece === undefined) {
        const index = await readIndexRegion(reader, { secrets, envelope, layout });
        verified = true;
        onIndex?.(index);
      } else if (position < holdFrom) {
        position += piece.length;
        return piece;
      } else held.push(piece);
    }
    return held.shift();
  };
  const ready = () => {
    const piece = position < holdFrom ? slices.ready() : undefined;
    position += piece?.length ?? 0;
    return piece;
  };
  const close = async () => {
    secrets.dispose();
    await release(slices, reader);
  };
  return ownedStream(next, close, ready);
}

/** Where the last segment that has any bytes begins; an empty last part has none. */
function lastSegmentStart({ parts, segmentSizeBytes }: ObjectLayout): number {
  const last = parts.findLast(({ plaintextBytes }) => plaintextBytes > 0);
  if (last === undefined) return 0;
  const before = Math.ceil(last.plaintextBytes / segmentSizeBytes) - 1;
  return last.plaintextOffset + before * segmentSizeBytes;
}

function assertLayout(envelope: Envelope, layout: ObjectLayout): void {
  if (envelope.layout !== layout.kind || envelope.segmentSizeBytes !== layout.segmentSizeBytes) {
    throw new RangeError('the layout is not that of the envelope');
  }
}

async function release(slices: SliceDecryptor, reader: ByteReader): Promise<void> {
  slices.dispose();
  await reader.close();
}
