import assert from 'node:assert/strict';
import { createDecipheriv, createHmac } from 'node:crypto';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { FloeDecryptor, FloeError, type FloeErrorCode, type FloeSuite } from '../../../src/crypto/floe.ts';
import type { RandomSource } from '../../../src/crypto/random.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { mixedReads, mixedStream } from '../../support/mixed-reads.ts';

/** A random source that hands out the given bytes in order, then zeros. */
export function scriptedRandom(script: Uint8Array): RandomSource {
  let offset = 0;
  return (length) => {
    const bytes = Buffer.alloc(length);
    bytes.set(script.subarray(offset, offset + length));
    offset += length;
    return bytes;
  };
}

/** Bytes in which every position differs from its neighbours and from those a segment away. */
export function patternBytes(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 151 + (index >> 8) * 7) & 0xff));
}

/** `bytes` in pieces of `size`; the last may be shorter. */
export function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

/** A stream of `bytes` in chunks of `size`. */
export function streamOf(bytes: Uint8Array, size: number): ByteStream {
  return mixedStream(pieces(bytes, size));
}

/** Everything a stream gives. */
export async function collect(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of mixedReads(stream)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Where a message's bytes are decrypted from. */
export interface MessageInput {
  readonly key: Uint8Array;
  readonly aad: Uint8Array;
  readonly message: Uint8Array;
  readonly rotationMaskBits?: number;
}

/** Decrypts a whole message with the code under test, segment by segment; the last one there is must be final. */
export function decryptMessage({ key, aad, message, rotationMaskBits = 20 }: MessageInput): Buffer {
  using secret = SecretBytes.copyOf(key);
  using decryptor = FloeDecryptor.open(secret, aad, message.subarray(0, 74), { rotationMaskBits });
  const segments = pieces(message.subarray(74), decryptor.encryptedSegmentBytes);
  const last = Math.max(segments.length, 1) - 1;
  const plaintext: Uint8Array[] = [];
  for (let position = 0; position <= last; position += 1) {
    const segment = segments[position] ?? new Uint8Array();
    plaintext.push(...decryptor.decryptSegment(position, [segment], position === last));
  }
  return Buffer.concat(plaintext);
}

/** FLOE decryption straight from the specification's pseudocode, sharing no code with what it checks. */
export function referenceDecrypt(suite: FloeSuite, { key, aad, message }: MessageInput): Buffer {
  const derive = (prk: Uint8Array, purpose: Uint8Array, length: number): Buffer => {
    const info = Buffer.concat([message.subarray(0, 42), purpose, aad, Buffer.from([1])]);
    return createHmac('sha384', prk).update(info).digest().subarray(0, length);
  };
  const bytes = Buffer.from(message);
  assert.equal(bytes.readUInt8(0), suite === 'aes-256-gcm' ? 0 : 0x80);
  assert.deepEqual(bytes.subarray(42, 74), derive(key, Buffer.from('HEADER_TAG:'), 32));
  const messageKey = derive(key, Buffer.from('MESSAGE_KEY:'), 48);
  const segmentKey = derive(messageKey, Buffer.concat([Buffer.from('DEK:'), Buffer.alloc(8)]), 32);
  const segmentLength = bytes.readUInt32BE(2);
  const parts: Buffer[] = [];
  for (let position = 0, offset = 74; ; position += 1, offset += segmentLength) {
    const named = bytes.readUInt32BE(offset);
    const end = named === 0xffffffff ? offset + segmentLength : offset + named;
    const options = { authTagLength: 16 };
    const iv = bytes.subarray(offset + 4, offset + 16);
    const decipher =
      suite === 'aes-256-gcm'
        ? createDecipheriv('aes-256-gcm', segmentKey, iv, options)
        : createDecipheriv('chacha20-poly1305', segmentKey, iv, options);
    const place = Buffer.alloc(9);
    place.writeUInt32BE(position, 4);
    place.writeUInt8(named === 0xffffffff ? 0 : 1, 8);
    decipher.setAAD(place);
    decipher.setAuthTag(bytes.subarray(end - 16, end));
    parts.push(decipher.update(bytes.subarray(offset + 16, end - 16)), decipher.final());
    if (named === 0xffffffff) continue;
    assert.equal(end, bytes.length);
    return Buffer.concat(parts);
  }
}

/** For assert.throws and assert.rejects: a FloeError with one of the codes. */
export function floeError(...codes: readonly FloeErrorCode[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof FloeError, `not a FloeError: ${String(error)}`);
    assert.ok(codes.includes(error.code), `${error.code} is none of ${codes.join(', ')}`);
    return true;
  };
}
