import { createHmac, hash } from 'node:crypto';

import { SecretBytes } from './secret-bytes.ts';

/** Length of a hash of SHA-384. */
const digestBytes = 48;
/** Length of the blocks that SHA-384 works on. */
const blockBytes = 128;
/** Longest message that is hashed in the scratch memory. */
const maxShortBytes = 896;

/** Of one call at a time, and zero between them. Memory of its own, which no small Buffer shares. */
const scratch = Buffer.from(new ArrayBuffer(blockBytes + maxShortBytes));

/**
 * The first step of HKDF (RFC 5869) with SHA-384: 48 bytes, from which `expandSha384` makes the keys. `ikm` is left as it is; the
 * caller disposes both.
 */
export function extractSha384(ikm: SecretBytes, salt: Uint8Array): SecretBytes {
  return new SecretBytes(hmacSha384(salt, ikm.bytes));
}

/**
 * The second step of HKDF with SHA-384, `length` bytes for the purpose named by `info`: at most one hash, so that it is the first
 * block T(1) = HMAC(prk, info | 0x01) of RFC 5869, section 2.3. The caller disposes it.
 */
export function expandSha384(prk: Uint8Array, info: Uint8Array, length: number): SecretBytes {
  if (length > digestBytes) throw new RangeError(`one block of HKDF-SHA-384 has ${digestBytes} bytes`);
  const block = hmacSha384(prk, Buffer.concat([info, Uint8Array.of(1)]));
  block.fill(0, length);
  return new SecretBytes(new Uint8Array(block.buffer, block.byteOffset, length));
}

/**
 * HMAC-SHA-384 (RFC 2104), which the caller zeroes where it is a key. What is short is hashed in two calls of `hash`: objects
 * of `createHmac` cost half as much again, and the garbage collector as much once more.
 */
export function hmacSha384(key: Uint8Array, message: Uint8Array): Buffer {
  if (key.length > blockBytes || message.length > maxShortBytes) {
    return createHmac('sha384', key).update(message).digest();
  }
  const inner = hashBehindPad(0x36, key, message);
  const outer = hashBehindPad(0x5c, key, inner);
  inner.fill(0);
  return outer;
}

/** Hash of the key in the pad, which fills a block, and the message. */
function hashBehindPad(pad: number, key: Uint8Array, message: Uint8Array): Buffer {
  const end = blockBytes + message.length;
  scratch.fill(pad, 0, blockBytes);
  for (let at = 0; at < key.length; at += 1) scratch[at] = pad ^ (key[at] ?? 0);
  scratch.set(message, blockBytes);
  const digest = hash('sha384', scratch.subarray(0, end), 'buffer');
  scratch.fill(0, 0, end);
  return digest;
}
