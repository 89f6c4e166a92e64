/** A reader of `aws-chunked` bodies that shares nothing with the one under test. */
import assert from 'node:assert/strict';

export interface ChunkedContent {
  readonly content: Buffer;
  readonly chunkSizes: readonly number[];
  /** The line that follows the last chunk. */
  readonly trailer: string;
}

/** Reads a whole body; asserts that its framing is exactly as S3 describes it. */
export function readChunked(encoded: Buffer): ChunkedContent {
  const chunks: Buffer[] = [];
  for (let offset = 0; ;) {
    const lineEnd = encoded.indexOf('\r\n', offset);
    const size = Number.parseInt(encoded.toString('latin1', offset, lineEnd), 16);
    assert.ok(Number.isInteger(size), 'a chunk begins with its size');
    if (size === 0) {
      const [, trailer] = /^0\r\n([^\r\n]+)\r\n\r\n$/.exec(encoded.toString('latin1', offset)) ?? [];
      assert.ok(trailer !== undefined, 'one trailer and a blank line follow the last chunk');
      return { content: Buffer.concat(chunks), chunkSizes: chunks.map(({ length }) => length), trailer };
    }
    const end = lineEnd + 2 + size;
    chunks.push(encoded.subarray(lineEnd + 2, end));
    assert.equal(encoded.toString('latin1', end, end + 2), '\r\n');
    offset = end + 2;
  }
}

/** CRC-32 (ISO-HDLC) by its definition, 4 bytes big-endian. */
export function bitwiseCrc32(bytes: Uint8Array): Buffer {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0xedb88320 : 0);
  }
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(~crc >>> 0);
  return digest;
}
