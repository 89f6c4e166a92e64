import { timingSafeEqual } from 'node:crypto';

import type { ByteReader } from '../base/byte-reader.ts';
import { totalLength } from '../crypto/floe-segment.ts';
import { floeHeaderBytes, type FloeDecryptor } from '../crypto/floe.ts';
import { SegmentFlow, type SegmentBatch, type SegmentSource } from '../crypto/pool/segment-flow.ts';
import { openJob, type SegmentJob } from '../crypto/pool/segment-job.ts';
import type { SegmentPool } from '../crypto/pool/segment-pool.ts';
import type { Envelope } from './envelope.ts';
import { EnvelopeError, authenticated, authenticationFailed } from './envelope-error.ts';
import type { LayoutPart, PartSlice, RangePlan } from './layout.ts';
import { attemptTagOf, openMessage } from './message.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { isZero } from './zeros.ts';

/** What the slices of a plan are decrypted with. */
export interface SliceDecryptorInput {
  /** May be disposed as soon as the constructor returned. */
  readonly secrets: ObjectSecrets;
  readonly envelope: Envelope;
  readonly plan: RangePlan;
  /** Header of the first slice where it is not in the stream. */
  readonly firstHeader: Uint8Array | undefined;
  /** Stands at the plan's first stored byte; stays open behind the last. */
  readonly reader: ByteReader;
  /** For large plans. */
  readonly pool?: SegmentPool | undefined;
}

/** Decrypts the segments of a plan one after the other; holds one of them, with a pool some more where threads help. */
export class SliceDecryptor implements Disposable {
  readonly #segments: SliceSegments;
  readonly #flow: SegmentFlow;

  constructor(input: SliceDecryptorInput) {
    this.#segments = new SliceSegments(input);
    this.#flow = new SegmentFlow(this.#segments, input.pool);
  }

  /**
   * The next piece of verified plaintext (F1-MSG-6), or undefined behind the last slice.
   * @throws EnvelopeError `authentication_failed` or `truncated`; the source's errors pass unchanged.
   */
  async next(): Promise<Uint8Array | undefined> {
    try {
      return await this.#flow.next();
    } catch (error) {
      return authenticated(() => {
        throw error;
      });
    }
  }

  /** As that of a ByteIterator. */
  ready(): Uint8Array | undefined {
    return this.#flow.ready();
  }

  dispose(): void {
    this.#flow.close();
    this.#segments.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The segments of a plan's slices, which are read one after the other. */
class SliceSegments implements SegmentSource, Disposable {
  readonly #secrets: ObjectSecrets;
  readonly #input: SliceDecryptorInput;
  #leftBytes: number;
  #sliceIndex = 0;
  #segmentIndex = 0;
  #decryptor: FloeDecryptor | undefined;

  constructor(input: SliceDecryptorInput) {
    this.#input = input;
    this.#secrets = input.secrets.clone();
    this.#leftBytes = input.plan.slices.reduce((sum, slice) => sum + bodyBytes(slice, this.segmentSizeBytes), 0);
  }

  get segmentSizeBytes(): number {
    return this.#input.envelope.segmentSizeBytes;
  }

  get leftBytes(): number {
    return this.#leftBytes;
  }

  async next(): Promise<SegmentBatch | undefined> {
    const at = await this.#at();
    if (at === undefined) return undefined;
    return await this.#read(nextSegmentBytes(at), (pieces) => this.#decrypt(at, pieces));
  }

  ready(): SegmentBatch | undefined {
    const slice = this.#input.plan.slices[this.#sliceIndex];
    const decryptor = this.#decryptor;
    if (slice === undefined || decryptor === undefined) return undefined;
    const at = { slice, decryptor, segmentsLeft: slice.segmentCount - this.#segmentIndex };
    const lengthBytes = nextSegmentBytes(at);
    const { reader } = this.#input;
    if (!reader.gather(lengthBytes)) return undefined;
    return reader.lendNow(lengthBytes, (pieces) => this.#decrypt(at, pieces));
  }

  #decrypt({ decryptor, slice, segmentsLeft }: SlicePlace, pieces: readonly Uint8Array[]): SegmentBatch {
    const position = slice.firstSegment + this.#segmentIndex;
    // The layout says whether it is the final segment: F1-MSG-5
    const isFinal = segmentsLeft === 1 && slice.finalIncluded;
    const outputs = authenticated(() => decryptor.decryptSegment(position, pieces, isFinal));
    this.#advance(slice, 1);
    return { outputs, segments: 1 };
  }

  async job(maxSegments: number): Promise<SegmentJob | undefined> {
    const at = await this.#at();
    if (at === undefined) return undefined;
    const { decryptor, slice, segmentsLeft } = at;
    const full = decryptor.encryptedSegmentBytes;
    const wanted = Math.min(maxSegments, segmentsLeft);
    const lastBytes = wanted === segmentsLeft ? slice.lastSegmentBytes : full;
    const pieces = await this.#input.reader.own((wanted - 1) * full + lastBytes);
    // Of a stream that ends early, the segments before the end are good; the next call fails.
    const count = totalLength(pieces) < (wanted - 1) * full + lastBytes ? wholeSegments(pieces, full) : wanted;
    const tasks = Array.from({ length: count }, (_, index) => {
      const isLast = index === segmentsLeft - 1;
      const position = slice.firstSegment + this.#segmentIndex + index;
      const lengthBytes = isLast ? slice.lastSegmentBytes : full;
      // F1-MSG-5
      return authenticated(() => decryptor.task(position, lengthBytes, isLast && slice.finalIncluded));
    });
    this.#advance(slice, count);
    return openJob(tasks, pieces);
  }

  dispose(): void {
    this.#decryptor?.dispose();
    this.#secrets.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The slice that is being read and what its segments are decrypted with; undefined behind the last. */
  async #at(): Promise<SlicePlace | undefined> {
    const slice = this.#input.plan.slices[this.#sliceIndex];
    if (slice === undefined) return undefined;
    this.#decryptor ??= await this.#open(slice);
    return { slice, decryptor: this.#decryptor, segmentsLeft: slice.segmentCount - this.#segmentIndex };
  }

  async #open(slice: PartSlice): Promise<FloeDecryptor> {
    const { envelope, firstHeader } = this.#input;
    const header = slice.headerInline ? await this.#readHeader() : firstHeader;
    if (header === undefined) throw new RangeError('the header of the first part is missing');
    checkHeader(envelope, slice.part, header);
    return openMessage(this.#secrets, envelope, slice.part.partNumber, header);
  }

  #advance(slice: PartSlice, segments: number): void {
    this.#segmentIndex += segments;
    this.#leftBytes -= segments * this.segmentSizeBytes;
    if (this.#segmentIndex < slice.segmentCount) return;
    this.#decryptor?.dispose();
    this.#decryptor = undefined;
    this.#segmentIndex = 0;
    this.#sliceIndex += 1;
  }

  async #readHeader(): Promise<Uint8Array> {
    return await this.#read(floeHeaderBytes, (pieces) => Buffer.concat(pieces));
  }

  async #read<Result>(lengthBytes: number, use: (pieces: readonly Uint8Array[]) => Result): Promise<Result> {
    return await this.#input.reader.lend(lengthBytes, (pieces) => {
      if (totalLength(pieces) < lengthBytes) throw truncated();
      return use(pieces);
    });
  }
}

interface SlicePlace {
  readonly slice: PartSlice;
  readonly decryptor: FloeDecryptor;
  readonly segmentsLeft: number;
}

/** Of the segment as it is stored. */
function nextSegmentBytes({ slice, decryptor, segmentsLeft }: SlicePlace): number {
  return segmentsLeft === 1 ? slice.lastSegmentBytes : decryptor.encryptedSegmentBytes;
}

/** About how many bytes the segments of a slice have. */
function bodyBytes({ segmentCount, lastSegmentBytes }: PartSlice, segmentSizeBytes: number): number {
  return (segmentCount - 1) * segmentSizeBytes + lastSegmentBytes;
}

/** @throws EnvelopeError `truncated` where there is not one. */
function wholeSegments(pieces: readonly Uint8Array[], encryptedSegmentBytes: number): number {
  const count = Math.floor(totalLength(pieces) / encryptedSegmentBytes);
  if (count === 0) throw truncated();
  return count;
}

function truncated(): EnvelopeError {
  return new EnvelopeError('truncated', 'the stored object ended within a message');
}

/**
 * Whether a header is the one that envelope or index name, before its own tag is verified.
 * @throws EnvelopeError `authentication_failed`.
 */
export function checkHeader(envelope: Envelope, { attemptTag }: LayoutPart, header: Uint8Array): void {
  if (header.length !== floeHeaderBytes) throw authenticationFailed();
  // F1-READ-1
  if (envelope.floeHeader !== undefined && !timingSafeEqual(envelope.floeHeader, header)) throw authenticationFailed();
  // F1-READ-2
  if (attemptTag !== undefined && !isZero(attemptTag) && !timingSafeEqual(attemptTag, attemptTagOf(header))) {
    throw authenticationFailed();
  }
}
