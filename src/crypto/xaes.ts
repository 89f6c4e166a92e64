import { createCipheriv } from 'node:crypto';

import { AeadError, aeadTagBytes, openAead, sealAead } from './aead.ts';
import { systemRandom, type RandomSource } from './random.ts';
import { SecretBytes } from './secret-bytes.ts';

const nonceBytes = 24;
const halfNonceBytes = 12;
const blockBytes = 16;

/** What sealing adds to the plaintext: a nonce of 24 bytes and a tag. */
export const xaesOverheadBytes = nonceBytes + aeadTagBytes;

/** What to seal; the key is 32 bytes, `random` is injected by tests only. */
export interface XaesSealInput {
  readonly key: SecretBytes;
  readonly plaintext: Uint8Array;
  readonly aad: Uint8Array;
  readonly random?: RandomSource;
}

/** What to open. */
export interface XaesOpenInput {
  readonly key: SecretBytes;
  readonly sealed: Uint8Array;
  readonly aad: Uint8Array;
}

/**
 * Encrypts a small value with XAES-256-GCM (C2SP `XAES-256-GCM.md`) under a fresh random nonce:
 * `nonce(24) | ciphertext | tag(16)`. With nonces of 192 bits one key seals 2^80 values before two nonces meet with odds of
 * 2^-32: nobody has to count.
 */
export function sealXaes({ key, plaintext, aad, random = systemRandom }: XaesSealInput): Uint8Array {
  const nonce = random(nonceBytes);
  using derived = deriveKey(key, nonce);
  const sealed = sealAead({ key: derived, plaintext, aad, random: () => nonce.subarray(halfNonceBytes) });
  return Buffer.concat([nonce.subarray(0, halfNonceBytes), sealed]);
}

/**
 * The plaintext of what `sealXaes` made; the caller owns it.
 * @throws AeadError when anything differs, a length included.
 */
export function openXaes({ key, sealed, aad }: XaesOpenInput): Uint8Array {
  if (sealed.length < xaesOverheadBytes) throw new AeadError();
  using derived = deriveKey(key, sealed.subarray(0, nonceBytes));
  return openAead({ key: derived, sealed: sealed.subarray(halfNonceBytes), aad });
}

/** Kx of the specification: SP 800-108r1 in counter mode over AES-256-CMAC, which for one block is one AES call each. */
function deriveKey(key: SecretBytes, nonce: Uint8Array): SecretBytes {
  const subkey = doubled(encryptBlocks(key, Buffer.alloc(blockBytes)));
  const messages = Buffer.alloc(2 * blockBytes);
  for (const counter of [1, 2]) {
    const message = messages.subarray((counter - 1) * blockBytes, counter * blockBytes);
    message.set([0, counter, 0x58, 0]);
    message.set(nonce.subarray(0, halfNonceBytes), 4);
    for (const [at, byte] of subkey.entries()) message[at] = (message[at] ?? 0) ^ byte;
  }
  const derived = new SecretBytes(encryptBlocks(key, messages));
  subkey.fill(0);
  messages.fill(0);
  return derived;
}

/** The block cipher itself, on whole blocks. */
function encryptBlocks(key: SecretBytes, blocks: Uint8Array): Buffer {
  // oxlint-disable-next-line no-null -- ECB takes no initialisation vector, and Node wants null for that
  const cipher = createCipheriv('aes-256-ecb', key.bytes, null).setAutoPadding(false);
  const encrypted = cipher.update(blocks);
  cipher.final();
  return encrypted;
}

/** K1 of CMAC (SP 800-38B, section 6.1): the block times x, in place. */
function doubled(block: Buffer): Buffer {
  const reduction = (block[0] ?? 0) & 0x80 ? 0b1000_0111 : 0;
  for (let at = 0; at < blockBytes; at++) block[at] = ((block[at] ?? 0) << 1) | ((block[at + 1] ?? 0) >> 7);
  block[blockBytes - 1] = (block[blockBytes - 1] ?? 0) ^ reduction;
  return block;
}
