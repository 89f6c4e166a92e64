import { createHmac, hash } from 'node:crypto';

/** Blocks that the hashes work on. */
const blockBytes = { sha256: 64, sha384: 128 } as const;
/** Longest message that is hashed in the scratch memory. */
const maxShortBytes = 896;
/** Most bytes of a character in UTF-8, for each of its UTF-16 code units. */
const maxUtf8Bytes = 3;
const innerPad = 0x36;
const outerPad = 0x5c;

type HashName = keyof typeof blockBytes;

/** Of one call at a time, and zero between them. Memory of its own, which no small Buffer shares. */
const scratch = Buffer.from(new ArrayBuffer(blockBytes.sha384 + maxShortBytes));

/**
 * HMAC (RFC 2104) of a message in pieces under a secret key; the caller zeroes the result where it is a key too. What is short is
 * hashed in two calls of `hash`: objects of `createHmac` cost twice as much, and the garbage collector as much once more.
 */
export function hmac(name: HashName, key: Uint8Array, message: readonly Uint8Array[]): Buffer {
  return hmacInTwo(name, key, message, writeInnerText);
}

/** The same of a secret message under a key that may be known to all, such as the salt of HKDF: leaves nothing of it behind. */
export function hmacOfSecret(name: HashName, key: Uint8Array, message: readonly Uint8Array[]): Buffer {
  return hmacInTwo(name, key, message, writeInnerBytes);
}

function hmacInTwo(name: HashName, key: Uint8Array, message: readonly Uint8Array[], writeInner: WriteInner): Buffer {
  let lengthBytes = 0;
  for (const piece of message) lengthBytes += piece.length;
  if (!isShort(name, key, lengthBytes)) {
    const whole = createHmac(name, key);
    for (const piece of message) whole.update(piece);
    return whole.digest();
  }
  const start = blockBytes[name];
  let end: number = start;
  for (const piece of message) {
    scratch.set(piece, end);
    end += piece.length;
  }
  const outerEnd = prepareOuter(name, key, end, writeInner);
  const digest = hash(name, scratch.subarray(0, outerEnd), 'buffer');
  scratch.fill(0, 0, Math.max(end, outerEnd));
  return digest;
}

/** HMAC of a text in UTF-8 as lower-case hex, for what is no secret, such as a signature: half as dear as a Buffer. */
export function hmacHex(name: HashName, key: Uint8Array, text: string): string {
  if (!isShort(name, key, text.length * maxUtf8Bytes)) return createHmac(name, key).update(text).digest('hex');
  const start = blockBytes[name];
  const end = start + scratch.write(text, start);
  const outerEnd = prepareOuter(name, key, end, writeInnerText);
  const digest = hash(name, scratch.subarray(0, outerEnd), 'hex');
  scratch.fill(0, 0, Math.max(end, outerEnd));
  return digest;
}

function isShort(name: HashName, key: Uint8Array, lengthBytes: number): boolean {
  return key.length <= blockBytes[name] && lengthBytes <= maxShortBytes;
}

/**
 * Hashes the message that lies in the scratch memory behind the first block, up to `end`, and puts there what the outer hash
 * is taken of. Answers its end.
 */
function prepareOuter(name: HashName, key: Uint8Array, end: number, writeInner: WriteInner): number {
  const start = blockBytes[name];
  const { length } = key;
  for (let at = 0; at < length; at += 1) scratch[at] = innerPad ^ (key[at] ?? 0);
  for (let at = length; at < start; at += 1) scratch[at] = innerPad;
  const innerBytes = writeInner(name, scratch.subarray(0, end), start);
  for (let at = 0; at < start; at += 1) scratch[at] = innerPad ^ outerPad ^ (scratch[at] ?? 0);
  return start + innerBytes;
}

/** Writes the hash of the bytes into the scratch memory. Answers its length. */
type WriteInner = (name: HashName, bytes: Uint8Array, at: number) => number;

/** By way of a string, which costs less than a Buffer but is never zeroed: without the key the inner hash tells nothing. */
function writeInnerText(name: HashName, bytes: Uint8Array, at: number): number {
  return scratch.write(hash(name, bytes, 'latin1'), at, 'latin1');
}

/** For keys that are known: whoever sees the inner hash has the outer one. */
function writeInnerBytes(name: HashName, bytes: Uint8Array, at: number): number {
  const inner = hash(name, bytes, 'buffer');
  scratch.set(inner, at);
  inner.fill(0);
  return inner.length;
}
