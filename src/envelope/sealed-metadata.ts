import { timingSafeEqual } from 'node:crypto';

import { decodeChecksums, encodeChecksums, maxChecksumsBytes, type SealedChecksum } from './checksums.ts';
import { EnvelopeError, authenticationFailed } from './envelope-error.ts';
import { FieldReader, malformed, u64, u8 } from './field-reader.ts';
import { metadataDigest } from './metadata-digest.ts';
import { maxPlaintextBytes, plaintextSize } from './sizes.ts';

const digestBytes = 32;
const compressions = ['gzip', 'zstd'] as const;

/** Shortest and longest encoded form. */
export const minSealedMetadataBytes = digestBytes + 3;
export const maxSealedMetadataBytes = digestBytes + maxChecksumsBytes + 9 + 9;

/** What the envelope seals about an object. */
export interface SealedMetadata {
  /** `metadataDigest` of the object's headers. */
  readonly metadataDigest: Uint8Array;
  /** Checksums of the client's bytes that were known before the upload. */
  readonly checksums: readonly SealedChecksum[];
  /** Length of the payload; give it where it is known, so that HEAD and ranges report an authenticated size. */
  readonly payloadBytes?: number;
  /** How the payload is compressed, and the length of the client's bytes. */
  readonly compression?: { readonly algorithm: (typeof compressions)[number]; readonly originalBytes: number };
}

/**
 * Plaintext of the envelope's sealed part.
 * @throws RangeError for a value that the format cannot hold.
 */
export function encodeSealedMetadata(metadata: SealedMetadata): Uint8Array {
  const { metadataDigest, checksums, payloadBytes, compression } = metadata;
  if (metadataDigest.length !== digestBytes) throw new RangeError('a metadata digest has 32 bytes');
  return Buffer.concat([
    metadataDigest,
    encodeChecksums(checksums),
    ...(payloadBytes === undefined ? [u8(0)] : [u8(1), length(payloadBytes)]),
    ...(compression === undefined
      ? [u8(0)]
      : [u8(compressions.indexOf(compression.algorithm) + 1), length(compression.originalBytes)]),
  ]);
}

/** Inverse of `encodeSealedMetadata`; accepts nothing that it would not write (F1-META-1). */
export function decodeSealedMetadata(bytes: Uint8Array): SealedMetadata {
  const reader = new FieldReader(bytes);
  const metadata: SealedMetadata = {
    metadataDigest: reader.bytes(digestBytes),
    checksums: decodeChecksums(reader),
    ...decodePayloadLength(reader),
    ...decodeCompression(reader),
  };
  reader.end();
  return metadata;
}

/**
 * Compares the sealed digest with that of the headers that came with the object, in constant time (F1-META-2).
 * @throws EnvelopeError `authentication_failed`.
 */
export function verifyMetadataDigest(metadata: SealedMetadata, headers: Readonly<Record<string, string>>): void {
  if (!timingSafeEqual(metadata.metadataDigest, metadataDigest(headers))) throw authenticationFailed();
}

/**
 * The payload's length of an object of `storedBytes`, checked against the sealed one where that is given (F1-META-3).
 * @throws EnvelopeError `not_format_1` for a size that no object has (F1-SIZE-2), `size_mismatch`.
 */
export function payloadSize(storedBytes: number, metadata: SealedMetadata): number {
  const payloadBytes = plaintextSizeOrThrow(storedBytes);
  if (metadata.payloadBytes !== undefined && metadata.payloadBytes !== payloadBytes) {
    throw new EnvelopeError('size_mismatch', 'the stored object has another length than was sealed');
  }
  return payloadBytes;
}

/** `plaintextSize`; throws EnvelopeError `not_format_1` for a size that no object has. */
export function plaintextSizeOrThrow(storedBytes: number): number {
  const plaintextBytes = plaintextSize(storedBytes);
  if (plaintextBytes === undefined) throw new EnvelopeError('not_format_1', 'no object of format 1 has this length');
  return plaintextBytes;
}

function decodePayloadLength(reader: FieldReader): { readonly payloadBytes?: number } {
  const flag = reader.u8();
  if (flag > 1) throw malformed('a flag is neither 0 nor 1');
  return flag === 0 ? {} : { payloadBytes: reader.u64(maxPlaintextBytes) };
}

function decodeCompression(reader: FieldReader): Pick<SealedMetadata, 'compression'> {
  const id = reader.u8();
  if (id === 0) return {};
  const algorithm = compressions[id - 1];
  if (algorithm === undefined) throw new EnvelopeError('unsupported', `compression ${id} is not known`);
  return { compression: { algorithm, originalBytes: reader.u64(maxPlaintextBytes) } };
}

function length(bytes: number): Uint8Array {
  if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > maxPlaintextBytes) {
    throw new RangeError('a sealed length is 0 to 50 TiB');
  }
  return u64(bytes);
}
