/** Size arithmetic of format 1 (docs/format/format-1.md, sections 3 and 5). All lengths are in bytes. */
import { floeHeaderBytes, floeSegmentOverheadBytes } from '../crypto/floe.ts';

declare const plaintextUnit: unique symbol;
declare const storedUnit: unique symbol;

/** Position in an object's payload. */
export type PlaintextOffset = number & { readonly [plaintextUnit]: true };
/** Position in a stored object. */
export type StoredOffset = number & { readonly [storedUnit]: true };

/** Largest payload: 50 TiB. */
export const maxPlaintextBytes = 50 * 2 ** 40;
/** Every part but the last has at least so much plaintext, as S3 wants it. */
export const minPartBytes = 5 * 2 ** 20;
/** Largest part number of S3, which is also the largest number of parts. */
export const maxPartNumber = 10_000;
/** Segment sizes that a policy may choose. */
export const segmentSizesBytes = [65_536, 131_072, 262_144, 524_288, 1_048_576] as const;

const unitBytes = 65_536;
const perUnitBytes = 32;
const perPartBytes = 128;
const fixedBytes = 256;
/** Stored length of 5 MiB of plaintext, what they take of segments and part included. */
const storedBlockBytes = minPartBytes + (minPartBytes / unitBytes) * perUnitBytes + perPartBytes;

/** Length of the stored object whose payload has `plaintextBytes`, whatever its layout and segment size (F1-SIZE-1). */
export function storedSize(plaintextBytes: number): number {
  // F1-SIZE-3
  if (!Number.isSafeInteger(plaintextBytes) || plaintextBytes < 0 || plaintextBytes > maxPlaintextBytes) {
    throw new RangeError('an object has 0 bytes to 50 TiB');
  }
  const units = Math.max(1, Math.ceil(plaintextBytes / unitBytes));
  const parts = Math.floor(plaintextBytes / minPartBytes) + 1;
  return plaintextBytes + perUnitBytes * units + perPartBytes * parts + fixedBytes;
}

/** The payload's length of a stored object, or undefined when no object of format 1 has `storedBytes` (F1-SIZE-2). */
export function plaintextSize(storedBytes: number): number | undefined {
  const rest = storedBytes - fixedBytes - perPartBytes;
  if (!Number.isSafeInteger(rest) || rest < perUnitBytes) return undefined;
  const inBlock = rest % storedBlockBytes;
  const units = Math.ceil(inBlock / (unitBytes + perUnitBytes));
  const plaintextBytes = Math.floor(rest / storedBlockBytes) * minPartBytes + inBlock - perUnitBytes * units;
  if (plaintextBytes < 0 || plaintextBytes > maxPlaintextBytes) return undefined;
  return storedSize(plaintextBytes) === storedBytes ? plaintextBytes : undefined;
}

/** Number of segments of a message: at least one, as an empty message has an empty final segment. */
export function segmentCount(plaintextBytes: number, segmentSizeBytes: number): number {
  return Math.max(1, Math.ceil(plaintextBytes / segmentSizeBytes));
}

/** Length of the message (header and segments) of a part. */
export function partStoredSize(plaintextBytes: number, segmentSizeBytes: number): number {
  return floeHeaderBytes + plaintextBytes + floeSegmentOverheadBytes * segmentCount(plaintextBytes, segmentSizeBytes);
}

/** The plaintext's length of a stored part, or undefined when no part has `storedBytes`. */
export function partPlaintextSize(storedBytes: number, segmentSizeBytes: number): number | undefined {
  const segments = Math.ceil((storedBytes - floeHeaderBytes) / (segmentSizeBytes + floeSegmentOverheadBytes));
  const plaintextBytes = storedBytes - floeHeaderBytes - floeSegmentOverheadBytes * segments;
  if (!Number.isSafeInteger(plaintextBytes) || plaintextBytes < 0) return undefined;
  return partStoredSize(plaintextBytes, segmentSizeBytes) === storedBytes ? plaintextBytes : undefined;
}
