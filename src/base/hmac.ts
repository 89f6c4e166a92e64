import { createHmac, hash } from 'node:crypto';

/** Blocks that the hashes work on. */
const blockBytes = { sha256: 64, sha384: 128 } as const;
/** Longest message that is hashed in the scratch memory. */
const maxShortBytes = 896;

type HashName = keyof typeof blockBytes;

/** Of one call at a time, and zero between them. Memory of its own, which no small Buffer shares. */
const scratch = Buffer.from(new ArrayBuffer(blockBytes.sha384 + maxShortBytes));

/**
 * HMAC (RFC 2104) of a message in pieces, which the caller zeroes where it is a key. What is short is hashed in two calls of
 * `hash`: objects of `createHmac` cost half as much again, and the garbage collector as much once more.
 */
export function hmac(name: HashName, key: Uint8Array, message: readonly Uint8Array[]): Buffer {
  let lengthBytes = 0;
  for (const piece of message) lengthBytes += piece.length;
  if (key.length > blockBytes[name] || lengthBytes > maxShortBytes) {
    const whole = createHmac(name, key);
    for (const piece of message) whole.update(piece);
    return whole.digest();
  }
  const inner = hashBehindPad(name, 0x36, key, message);
  const outer = hashBehindPad(name, 0x5c, key, [inner]);
  inner.fill(0);
  return outer;
}

/** Hash of the key in the pad, which fills a block, and the message. */
function hashBehindPad(name: HashName, pad: number, key: Uint8Array, message: readonly Uint8Array[]): Buffer {
  let end: number = blockBytes[name];
  scratch.fill(pad, 0, end);
  for (let at = 0; at < key.length; at += 1) scratch[at] = pad ^ (key[at] ?? 0);
  for (const piece of message) {
    scratch.set(piece, end);
    end += piece.length;
  }
  const digest = hash(name, scratch.subarray(0, end), 'buffer');
  scratch.fill(0, 0, end);
  return digest;
}
