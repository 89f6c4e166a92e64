import { timingSafeEqual } from 'node:crypto';

import type { ByteReader } from '../base/byte-reader.ts';
import { floeHeaderBytes, type FloeDecryptor } from '../crypto/floe.ts';
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
}

/** Decrypts the segments of a plan one after the other; holds one of them. */
export class SliceDecryptor implements Disposable {
  readonly #secrets: ObjectSecrets;
  readonly #input: SliceDecryptorInput;
  #sliceIndex = 0;
  #segmentIndex = 0;
  #decryptor: FloeDecryptor | undefined;
  #ready: readonly Uint8Array[] = [];
  #used = 0;

  constructor(input: SliceDecryptorInput) {
    this.#input = input;
    this.#secrets = input.secrets.clone();
  }

  /**
   * The next piece of verified plaintext (F1-MSG-6), or undefined behind the last slice.
   * @throws EnvelopeError `authentication_failed` or `truncated`; the source's errors pass unchanged.
   */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#used === this.#ready.length) {
      const slice = this.#input.plan.slices[this.#sliceIndex];
      if (slice === undefined) return undefined;
      this.#decryptor ??= await this.#open(slice);
      this.#ready = await this.#readSegment(this.#decryptor, slice);
      this.#used = 0;
    }
    const piece = this.#ready[this.#used];
    this.#used += 1;
    return piece;
  }

  dispose(): void {
    this.#decryptor?.dispose();
    this.#secrets.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #open(slice: PartSlice): Promise<FloeDecryptor> {
    const { envelope, firstHeader } = this.#input;
    const header = slice.headerInline ? await this.#readHeader() : firstHeader;
    if (header === undefined) throw new RangeError('the header of the first part is missing');
    checkHeader(envelope, slice.part, header);
    return openMessage(this.#secrets, envelope, slice.part.partNumber, header);
  }

  async #readSegment(decryptor: FloeDecryptor, slice: PartSlice): Promise<readonly Uint8Array[]> {
    const isLast = this.#segmentIndex === slice.segmentCount - 1;
    const position = slice.firstSegment + this.#segmentIndex;
    const pieces = await this.#read(isLast ? slice.lastSegmentBytes : decryptor.encryptedSegmentBytes);
    // The layout says whether it is the final segment: F1-MSG-5
    const plaintext = authenticated(() => decryptor.decryptSegment(position, pieces, isLast && slice.finalIncluded));
    this.#segmentIndex += 1;
    if (isLast) {
      decryptor.dispose();
      this.#decryptor = undefined;
      this.#segmentIndex = 0;
      this.#sliceIndex += 1;
    }
    return plaintext;
  }

  async #readHeader(): Promise<Uint8Array> {
    const pieces = await this.#read(floeHeaderBytes);
    const [first] = pieces;
    return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
  }

  async #read(lengthBytes: number): Promise<Uint8Array[]> {
    const pieces = await this.#input.reader.lend(lengthBytes);
    const got = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (got < lengthBytes) throw new EnvelopeError('truncated', 'the stored object ended within a message');
    return pieces;
  }
}

/** Whether a header is the one that envelope or index name, before its own tag is verified. */
function checkHeader(envelope: Envelope, { attemptTag }: LayoutPart, header: Uint8Array): void {
  if (header.length !== floeHeaderBytes) throw authenticationFailed();
  // F1-READ-1
  if (envelope.floeHeader !== undefined && !timingSafeEqual(envelope.floeHeader, header)) throw authenticationFailed();
  // F1-READ-2
  if (attemptTag !== undefined && !isZero(attemptTag) && !timingSafeEqual(attemptTag, attemptTagOf(header))) {
    throw authenticationFailed();
  }
}
