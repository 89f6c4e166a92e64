import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';

import {
  chunkedLength,
  trailingChecksumHeaders,
  withTrailingChecksum,
} from '../../../../src/store/s3/trailing-checksum.ts';
import { bitwiseCrc32, readChunked } from './chunked-reader.ts';

const mebibyte = 1024 * 1024;

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) yield bytes.subarray(offset, offset + pieceBytes);
}

async function encode(bytes: Uint8Array, pieceBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of withTrailingChecksum(inPieces(bytes, pieceBytes), bytes.length)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.alloc(10);
  throw new Error('broken');
}

describe('a body with a trailing checksum', () => {
  it('is written as S3 has it', async () => {
    // CRC-32 of "123456789" is cbf43926, the check value of the catalogue of CRC algorithms.
    const expected = '9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n';
    assert.equal((await encode(Buffer.from('123456789'), 4)).toString(), expected);
  });

  for (const length of [1, 65_537, mebibyte - 1, mebibyte, mebibyte + 1, 2 * mebibyte + 70_000]) {
    for (const pieceBytes of [100_003, 3 * mebibyte]) {
      it(`gives ${length} bytes in pieces of ${pieceBytes} back, in the length that was announced`, async () => {
        const bytes = randomBytes(length);
        const encoded = await encode(bytes, pieceBytes);
        assert.equal(encoded.length, chunkedLength(length));
        const { content, chunkSizes, trailer } = readChunked(encoded);
        assert.ok(content.equals(bytes));
        assert.ok(chunkSizes.slice(0, -1).every((size) => size === mebibyte));
        assert.equal(trailer, `x-amz-checksum-crc32:${bitwiseCrc32(bytes).toString('base64')}`);
      });
    }
  }

  it('passes whole pieces on as they are, so that their memory can be freed', async () => {
    const bytes = randomBytes(200_000);
    const given = [bytes.subarray(0, 100_000), bytes.subarray(100_000)];
    const source = async function* () {
      yield* given;
    };
    const pieces = [];
    for await (const piece of withTrailingChecksum(source(), bytes.length)) pieces.push(piece);
    assert.equal(pieces[1], given[0]);
    assert.equal(pieces[2], given[1]);
  });

  it('ends without a trailer where its source breaks', async () => {
    const pieces: Uint8Array[] = [];
    await assert.rejects(async () => {
      for await (const piece of withTrailingChecksum(broken(), 20)) pieces.push(piece);
    }, /broken/);
    assert.equal(Buffer.concat(pieces).toString('latin1'), `14\r\n${'\0'.repeat(10)}`);
  });

  it('names its coding before the coding of the object', () => {
    const { 'content-encoding': alone, 'x-amz-decoded-content-length': length } = trailingChecksumHeaders(
      70_000,
      undefined,
    );
    assert.deepEqual([alone, length], ['aws-chunked', '70000']);
    assert.equal(trailingChecksumHeaders(70_000, 'gzip')['content-encoding'], 'aws-chunked,gzip');
  });
});
