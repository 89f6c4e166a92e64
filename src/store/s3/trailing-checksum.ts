import { createChecksum } from '../../s3/checksum.ts';

/** As botocore has it; MinIO takes 16 MiB at most, S3 no less than 8 KiB but for the last one. */
const chunkBytes = 1024 * 1024;
const trailerName = 'x-amz-checksum-crc32';
const lineEnd = '\r\n';

/** Headers of a body that `withTrailingChecksum` makes; `aws-chunked` goes in front of the object's own coding. */
export function trailingChecksumHeaders(lengthBytes: number, contentEncoding: string | undefined) {
  return {
    'content-encoding': contentEncoding === undefined ? 'aws-chunked' : `aws-chunked,${contentEncoding}`,
    'x-amz-decoded-content-length': String(lengthBytes),
    'x-amz-sdk-checksum-algorithm': 'CRC32',
    'x-amz-trailer': trailerName,
  };
}

/** Length in bytes of what `withTrailingChecksum` makes of a body of `lengthBytes`, which must not be 0. */
export function chunkedLength(lengthBytes: number): number {
  const wholeChunks = Math.floor(lengthBytes / chunkBytes);
  const rest = lengthBytes % chunkBytes;
  const ends = endOf('AAAAAA==').length;
  const sizeLines = wholeChunks * sizeLine(chunkBytes, false).length + (rest === 0 ? 0 : sizeLine(rest, false).length);
  return lengthBytes + sizeLines - lineEnd.length + ends;
}

/**
 * A body of exactly `lengthBytes`, not 0, in `aws-chunked` coding without signatures, with its CRC-32 in the trailer (S3
 * API reference, "Signature calculations … including trailing headers"). Pieces pass as they are, but where a chunk ends
 * within one; nothing is held back.
 */
export async function* withTrailingChecksum(
  source: AsyncIterable<Uint8Array>,
  lengthBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const checksum = createChecksum('CRC32');
  let leftBytes = lengthBytes;
  let leftOfChunk = 0;
  for await (const piece of source) {
    checksum.update(piece);
    let rest = piece;
    while (rest.length > 0) {
      if (leftOfChunk === 0) {
        leftOfChunk = Math.min(chunkBytes, leftBytes);
        yield Buffer.from(sizeLine(leftOfChunk, leftBytes === lengthBytes), 'latin1');
      }
      const given = rest.length > leftOfChunk ? rest.subarray(0, leftOfChunk) : rest;
      leftOfChunk -= given.length;
      leftBytes -= given.length;
      // Before it is given out: whoever takes a whole piece may free its memory.
      rest = rest.subarray(given.length);
      yield given;
    }
  }
  yield Buffer.from(endOf(checksum.digest().toString('base64')), 'latin1');
}

/** Ends the chunk before, where there is one, and begins one of `size` bytes. */
function sizeLine(size: number, isFirst: boolean): string {
  return `${isFirst ? '' : lineEnd}${size.toString(16)}${lineEnd}`;
}

function endOf(checksum: string): string {
  return `${lineEnd}0${lineEnd}${trailerName}:${checksum}${lineEnd}${lineEnd}`;
}
