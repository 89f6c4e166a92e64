/**
 * FLOE (Fast Lightweight Online Encryption): random-access authenticated encryption in segments.
 * Specification: https://github.com/Snowflake-Labs/floe-specification (C2SP FLOE), ePrint 2025/2275.
 * A segment is `length(4) | iv(12) | ciphertext | tag(16)`; length is 0xFFFFFFFF but in the final one.
 * The order and completeness of segments is the caller's to keep; floe-stream.ts does it for streams.
 */
import { timingSafeEqual } from 'node:crypto';

import { free, handOver } from '../base/chunk-memory.ts';
import { aeadIvBytes, aeadKeyBytes, aeadTagBytes, createAeadCipher, createAeadDecipher } from './aead.ts';
import {
  FloeError,
  encodeFloeParametersAndIv,
  floeIvBytes,
  floeParametersAndIvBytes,
  floeSegmentOverheadBytes,
  readFloeParameters,
  type FloeParameters,
} from './floe-header.ts';
import { FloeSegmentKeys, floeHeaderTag } from './floe-keys.ts';
import { systemRandom, type RandomSource } from './random.ts';
import type { SecretBytes } from './secret-bytes.ts';

export {
  FloeError,
  floeHeaderBytes,
  floeMaxSegmentSizeBytes,
  floeSegmentOverheadBytes,
  type FloeErrorCode,
  type FloeParameters,
  type FloeSuite,
} from './floe-header.ts';

const maxSegments = 2 ** 40;
const defaultRotationMaskBits = 20;
const nonFinalLength = 0xffffffff;
const segmentPrefixBytes = 4 + aeadIvBytes;

/** Nonces drawn together with the FLOE IV (enough for a small message), and with each refill. */
const firstNonces = 8;
const refillNonces = 128;

/**
 * Below this mean length, pieces are gathered before they go to the cipher, as each call costs several microseconds
 * and an allocation: 64 KiB in 1 KiB pieces run at 0.4 GB per CPU second one by one and 2.8 gathered, in 8 KiB pieces
 * at 2.1 and 2.8, in 32 KiB pieces at 2.9 either way.
 */
const gatherBelowBytes = 32 * 1024;

/** `rotationMaskBits` is 20 by the specification; only its known answers need another one. */
interface RotationOption {
  readonly rotationMaskBits?: number;
}

/** `random` is injected by tests only. */
export interface FloeEncryptorOptions extends RotationOption {
  readonly random?: RandomSource;
}

/** With `expected`, a header with other parameters is `header_invalid`. */
export interface FloeDecryptorOptions extends RotationOption {
  readonly expected?: FloeParameters;
}

/** Encrypts one message under a fresh IV. The key (32 bytes) and the AAD are only read in the constructor. */
export class FloeEncryptor implements Disposable {
  /** The 74-byte header, which goes before the segments. */
  readonly header: Uint8Array;
  readonly parameters: FloeParameters;
  readonly #nonces: NoncePool;
  #keys: FloeSegmentKeys | undefined;

  constructor(key: SecretBytes, aad: Uint8Array, parameters: FloeParameters, options: FloeEncryptorOptions = {}) {
    assertKey(key);
    this.parameters = parameters;
    this.#nonces = new NoncePool(options.random ?? systemRandom);
    const parametersAndIv = encodeFloeParametersAndIv(parameters, this.#nonces.floeIv);
    const context = { parametersAndIv, aad: new Uint8Array(aad) };
    this.#keys = new FloeSegmentKeys(key, context, options.rotationMaskBits ?? defaultRotationMaskBits);
    this.header = Buffer.concat([parametersAndIv, floeHeaderTag(key, context)]);
  }

  /**
   * The encrypted segment at `position` (from 0) in one buffer of its own, after a copy of `prefix` if one is given
   * (the header, so that a small message is one chunk). `pieces` together are the plaintext: exactly
   * `segmentSizeBytes`, in the final segment also less. Encrypt each position once.
   * @throws FloeError `segment_invalid` for a length or position that does not fit, `closed` after dispose.
   */
  encryptSegment(position: number, pieces: readonly Uint8Array[], isFinal: boolean, prefix?: Uint8Array): Uint8Array {
    const key = open(this.#keys).keyAt(checkedPosition(position, isFinal));
    const length = totalLength(pieces);
    const { suite, segmentSizeBytes } = this.parameters;
    if (length > segmentSizeBytes || (length < segmentSizeBytes && !isFinal)) throw invalidSegment();

    const start = prefix?.length ?? 0;
    const encryptedLength = length + floeSegmentOverheadBytes;
    const output = Buffer.allocUnsafe(start + encryptedLength);
    if (prefix !== undefined) output.set(prefix);
    output.writeUInt32BE(isFinal ? encryptedLength : nonFinalLength, start);
    const nonce = this.#nonces.next();
    output.set(nonce, start + 4);

    const cipher = createAeadCipher(suite, key, nonce);
    cipher.setAAD(segmentAad(position, isFinal));
    let offset = start + segmentPrefixBytes;
    for (const piece of forCipher(pieces, length)) {
      const ciphertext = cipher.update(piece);
      output.set(ciphertext, offset);
      // Freed while it is hot: the next piece gets the same memory.
      free(ciphertext);
      offset += piece.length;
    }
    cipher.final();
    output.set(cipher.getAuthTag(), offset);
    return handOver(output);
  }

  /** Zeroes the derived keys; encrypting afterwards throws. */
  dispose(): void {
    this.#keys?.dispose();
    this.#keys = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Decrypts segments of one message in any order. Made by `open`, once the header has proved genuine. */
export class FloeDecryptor implements Disposable {
  readonly parameters: FloeParameters;
  #keys: FloeSegmentKeys | undefined;

  private constructor(parameters: FloeParameters, keys: FloeSegmentKeys) {
    this.parameters = parameters;
    this.#keys = keys;
  }

  /**
   * Verifies the header under key (32 bytes) and AAD; suite and segment size are read from it.
   * @throws FloeError `header_invalid` or `parameters_unsupported`.
   */
  static open(
    key: SecretBytes,
    aad: Uint8Array,
    header: Uint8Array,
    options: FloeDecryptorOptions = {},
  ): FloeDecryptor {
    assertKey(key);
    const parameters = readFloeParameters(header);
    const context = {
      parametersAndIv: new Uint8Array(header.subarray(0, floeParametersAndIvBytes)),
      aad: new Uint8Array(aad),
    };
    const genuine = timingSafeEqual(floeHeaderTag(key, context), header.subarray(floeParametersAndIvBytes));
    if (!genuine || !matches(parameters, options.expected)) {
      throw new FloeError('header_invalid', 'FLOE header is not valid');
    }
    const rotationMaskBits = options.rotationMaskBits ?? defaultRotationMaskBits;
    return new FloeDecryptor(parameters, new FloeSegmentKeys(key, context, rotationMaskBits));
  }

  /** Length of every encrypted segment but the final one, which may be shorter (ENC_SEG_LEN). */
  get encryptedSegmentBytes(): number {
    return this.parameters.segmentSizeBytes + floeSegmentOverheadBytes;
  }

  /**
   * The plaintext, in pieces, of the encrypted segment that `pieces` together are; they may be cut anywhere. Nothing
   * is returned before the tag verified.
   * @throws FloeError `segment_invalid` whatever is wrong with it, `closed` after dispose.
   */
  decryptSegment(position: number, pieces: readonly Uint8Array[], isFinal: boolean): Uint8Array[] {
    const key = open(this.#keys).keyAt(checkedPosition(position, isFinal));
    const length = totalLength(pieces);
    const full = this.encryptedSegmentBytes;
    if (length < floeSegmentOverheadBytes || length > full || (length < full && !isFinal)) {
      throw invalidSegment();
    }
    const prefix = contiguous(cut(pieces, 0, segmentPrefixBytes));
    const named = new DataView(prefix.buffer, prefix.byteOffset, 4).getUint32(0);
    if (named !== (isFinal ? length : nonFinalLength)) throw invalidSegment();

    const tagStart = length - aeadTagBytes;
    const decipher = createAeadDecipher(this.parameters.suite, key, prefix.subarray(4));
    decipher.setAAD(segmentAad(position, isFinal));
    decipher.setAuthTag(contiguous(cut(pieces, tagStart, length)));
    const ciphertext = cut(pieces, segmentPrefixBytes, tagStart);
    const plaintext = Array.from(forCipher(ciphertext, tagStart - segmentPrefixBytes), (piece) =>
      handOver(decipher.update(piece)),
    );
    try {
      decipher.final();
    } catch {
      for (const piece of plaintext) piece.fill(0);
      throw invalidSegment();
    }
    return plaintext;
  }

  /** Zeroes the derived keys; decrypting afterwards throws. */
  dispose(): void {
    this.#keys?.dispose();
    this.#keys = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Random nonces drawn many at a time, as a call to the generator costs about as much as a small cipher. */
class NoncePool {
  readonly floeIv: Uint8Array;
  readonly #random: RandomSource;
  #bytes: Uint8Array;
  #offset = 0;

  constructor(random: RandomSource) {
    this.#random = random;
    const drawn = random(floeIvBytes + firstNonces * aeadIvBytes);
    this.floeIv = drawn.subarray(0, floeIvBytes);
    this.#bytes = drawn.subarray(floeIvBytes);
  }

  next(): Uint8Array {
    if (this.#offset >= this.#bytes.length) {
      this.#bytes = this.#random(refillNonces * aeadIvBytes);
      this.#offset = 0;
    }
    const nonce = this.#bytes.subarray(this.#offset, this.#offset + aeadIvBytes);
    this.#offset += aeadIvBytes;
    if (nonce.length !== aeadIvBytes) throw new RangeError('random source gave too few bytes');
    return nonce;
  }
}

/** Gathers many small pieces into one; ciphers have consumed it before the next call, so the memory is shared. */
let gathered = Buffer.alloc(0);

function forCipher(pieces: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  if (pieces.length < 2 || length >= pieces.length * gatherBelowBytes) return pieces;
  if (gathered.length < length) gathered = Buffer.allocUnsafeSlow(length);
  let offset = 0;
  for (const piece of pieces) {
    gathered.set(piece, offset);
    offset += piece.length;
  }
  return [gathered.subarray(0, length)];
}

/** Views of the bytes from `start` to `end` of what `pieces` are together. */
function cut(pieces: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  const views: Uint8Array[] = [];
  let offset = 0;
  for (const piece of pieces) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, piece.length);
    if (from < to) views.push(piece.subarray(from, to));
    offset += piece.length;
  }
  return views;
}

function contiguous(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}

function totalLength(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

/** `I2BE(position, 8) | 0x01` for the final segment, `| 0x00` for others. */
function segmentAad(position: number, isFinal: boolean): Buffer {
  const aad = Buffer.allocUnsafe(9);
  aad.writeUInt32BE(Math.floor(position / 2 ** 32), 0);
  aad.writeUInt32BE(position % 2 ** 32, 4);
  aad.writeUInt8(isFinal ? 1 : 0, 8);
  return aad;
}

/** A message has at most 2^40 segments, the last of which is final. */
function checkedPosition(position: number, isFinal: boolean): number {
  const highest = isFinal ? maxSegments - 1 : maxSegments - 2;
  if (!Number.isSafeInteger(position) || position < 0 || position > highest) throw invalidSegment();
  return position;
}

function open(keys: FloeSegmentKeys | undefined): FloeSegmentKeys {
  if (keys === undefined) throw new FloeError('closed', 'FLOE message was used after it was disposed');
  return keys;
}

function assertKey(key: SecretBytes): void {
  if (key.bytes.length !== aeadKeyBytes) throw new RangeError('a FLOE key has 32 bytes');
}

function matches(parameters: FloeParameters, expected: FloeParameters | undefined): boolean {
  return (
    expected === undefined ||
    (parameters.suite === expected.suite && parameters.segmentSizeBytes === expected.segmentSizeBytes)
  );
}

function invalidSegment(): FloeError {
  return new FloeError('segment_invalid', 'FLOE segment is not valid');
}
