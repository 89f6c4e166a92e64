/**
 * FLOE (Fast Lightweight Online Encryption): random-access authenticated encryption in segments.
 * Specification: https://github.com/Snowflake-Labs/floe-specification (C2SP FLOE), ePrint 2025/2275.
 * A segment is `length(4) | iv(12) | ciphertext | tag(16)`; length is 0xFFFFFFFF but in the final one.
 * The order and completeness of segments is the caller's to keep; floe-stream.ts does it for streams.
 */
import { timingSafeEqual } from 'node:crypto';

import { handOver } from '../base/chunk-memory.ts';
import { aeadIvBytes, aeadKeyBytes } from './aead.ts';
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
import {
  checkedPosition,
  cut,
  invalidSegment,
  openSegment,
  sealSegment,
  totalLength,
  type OpenTask,
  type SealTask,
} from './floe-segment.ts';
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

const defaultRotationMaskBits = 20;

/** Nonces drawn together with the FLOE IV (enough for a small message), and with each refill. */
const firstNonces = 8;
const refillNonces = 128;

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
    const task = this.task(position, totalLength(pieces), isFinal);
    const start = prefix?.length ?? 0;
    const output = Buffer.allocUnsafe(start + task.lengthBytes + floeSegmentOverheadBytes);
    if (prefix !== undefined) output.set(prefix);
    sealSegment(task, pieces, output, start);
    return handOver(output);
  }

  /**
   * The encrypted segments from `position` on, none of them the final one, as `encryptSegment` gives them, in one buffer:
   * it costs less to pass on than many. `pieces` together are a multiple of `segmentSizeBytes`.
   * @throws FloeError as `encryptSegment`.
   */
  encryptSegments(position: number, pieces: readonly Uint8Array[], prefix?: Uint8Array): Uint8Array {
    const { segmentSizeBytes } = this.parameters;
    const count = totalLength(pieces) / segmentSizeBytes;
    if (!Number.isInteger(count)) throw invalidSegment();
    const encryptedBytes = segmentSizeBytes + floeSegmentOverheadBytes;
    const start = prefix?.length ?? 0;
    const output = Buffer.allocUnsafe(start + count * encryptedBytes);
    if (prefix !== undefined) output.set(prefix);
    for (let index = 0; index < count; index++) {
      const plaintext = cut(pieces, index * segmentSizeBytes, (index + 1) * segmentSizeBytes);
      const task = this.task(position + index, segmentSizeBytes, false);
      sealSegment(task, plaintext, output, start + index * encryptedBytes);
    }
    return handOver(output);
  }

  /**
   * What `encryptSegment` needs for the segment at `position`, to encrypt it elsewhere: draws its nonce.
   * @throws FloeError as `encryptSegment`.
   */
  task(position: number, lengthBytes: number, isFinal: boolean): SealTask {
    const key = open(this.#keys).keyAt(checkedPosition(position, isFinal));
    const { suite, segmentSizeBytes } = this.parameters;
    if (lengthBytes > segmentSizeBytes || (lengthBytes < segmentSizeBytes && !isFinal)) throw invalidSegment();
    return { suite, key, position, isFinal, lengthBytes, nonce: this.#nonces.next() };
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
    const task = this.task(position, totalLength(pieces), isFinal);
    const plaintext: Uint8Array[] = [];
    try {
      openSegment(task, pieces, (piece) => plaintext.push(handOver(piece)));
    } catch (error) {
      for (const piece of plaintext) piece.fill(0);
      throw error;
    }
    return plaintext;
  }

  /**
   * What `decryptSegment` needs for the segment at `position`, to decrypt it elsewhere.
   * @throws FloeError as `decryptSegment`.
   */
  task(position: number, lengthBytes: number, isFinal: boolean): OpenTask {
    const key = open(this.#keys).keyAt(checkedPosition(position, isFinal));
    const full = this.encryptedSegmentBytes;
    if (lengthBytes < floeSegmentOverheadBytes || lengthBytes > full || (lengthBytes < full && !isFinal)) {
      throw invalidSegment();
    }
    return { suite: this.parameters.suite, key, position, isFinal, lengthBytes };
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
