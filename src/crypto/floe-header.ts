import { CodedError } from '../base/coded-error.ts';
import type { AeadSuite } from './aead.ts';

/** Cipher of a FLOE message. ChaCha20-Poly1305 is this project's own extension: same construction, AEAD id 0x80. */
export type FloeSuite = AeadSuite;

/** Length of a FLOE header: 10 bytes of parameters, 32 of IV, 32 of tag. */
export const floeHeaderBytes = 74;
/** What a segment adds to its plaintext: length (4), nonce (12), tag (16). */
export const floeSegmentOverheadBytes = 32;
/** Length of what stands before the header tag. */
export const floeParametersAndIvBytes = 42;
/** Length of the FLOE IV. */
export const floeIvBytes = 32;
/** Largest plaintext segment that is written or read; bounds the memory a header can ask for. */
export const floeMaxSegmentSizeBytes = 16 * 1024 * 1024;

const aeadIds: Readonly<Record<FloeSuite, number>> = { 'aes-256-gcm': 0, 'chacha20-poly1305': 0x80 };
const kdfId = 0;

/** What may be chosen for a message. `segmentSizeBytes` is the plaintext of a full segment: ENC_SEG_LEN − 32. */
export interface FloeParameters {
  readonly suite: FloeSuite;
  readonly segmentSizeBytes: number;
}

/**
 * `header_invalid`, `segment_invalid`: not what was written under this key, AAD and place (which of them is not said),
 * or a call that breaks the rules; `parameters_unsupported`; `truncated`: the stream ended early; `closed`: disposed.
 */
export type FloeErrorCode = 'header_invalid' | 'parameters_unsupported' | 'segment_invalid' | 'truncated' | 'closed';

/** Failure of FLOE encryption or decryption. */
export class FloeError extends CodedError<FloeErrorCode> {}

/** PARAM_ENCODE of the specification and the IV, which starts a header: 42 bytes. */
export function encodeFloeParametersAndIv(parameters: FloeParameters, iv: Uint8Array): Buffer {
  assertSegmentSize(parameters.segmentSizeBytes);
  if (iv.length !== floeIvBytes) throw new RangeError('a FLOE IV has 32 bytes');
  const encoded = Buffer.alloc(floeParametersAndIvBytes);
  encoded.writeUInt8(aeadIds[parameters.suite], 0);
  encoded.writeUInt8(kdfId, 1);
  encoded.writeUInt32BE(parameters.segmentSizeBytes + floeSegmentOverheadBytes, 2);
  encoded.writeUInt32BE(floeIvBytes, 6);
  encoded.set(iv, 10);
  return encoded;
}

/**
 * The parameters a header names. Nothing of them is authenticated yet.
 * @throws FloeError `header_invalid` for another length, `parameters_unsupported` for ids and sizes that are not ours.
 */
export function readFloeParameters(header: Uint8Array): FloeParameters {
  if (header.length !== floeHeaderBytes) throw new FloeError('header_invalid', 'FLOE header is not valid');
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const suite = suiteOf(view.getUint8(0));
  if (suite === undefined || view.getUint8(1) !== kdfId || view.getUint32(6) !== floeIvBytes) {
    throw unsupported('FLOE header names an unknown cipher, derivation or IV length');
  }
  const segmentSizeBytes = view.getUint32(2) - floeSegmentOverheadBytes;
  assertSegmentSize(segmentSizeBytes);
  return { suite, segmentSizeBytes };
}

function suiteOf(aeadId: number): FloeSuite | undefined {
  if (aeadId === aeadIds['aes-256-gcm']) return 'aes-256-gcm';
  return aeadId === aeadIds['chacha20-poly1305'] ? 'chacha20-poly1305' : undefined;
}

function assertSegmentSize(bytes: number): void {
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > floeMaxSegmentSizeBytes) {
    throw unsupported(`FLOE segment size must be 1 to ${floeMaxSegmentSizeBytes} bytes`);
  }
}

function unsupported(message: string): FloeError {
  return new FloeError('parameters_unsupported', message);
}
