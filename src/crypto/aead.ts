import {
  createCipheriv,
  createDecipheriv,
  getCiphers,
  type CipherGCM,
  type DecipherGCM,
  type KeyObject,
} from 'node:crypto';

import { CodedError } from '../base/coded-error.ts';
import { systemRandom, type RandomSource } from './random.ts';
import type { SecretBytes } from './secret-bytes.ts';

/** Authenticated ciphers of the gateway: AES-256-GCM (SP 800-38D), or ChaCha20-Poly1305 (RFC 8439). */
export type AeadSuite = 'aes-256-gcm' | 'chacha20-poly1305';

/** Whether this runtime has the cipher. Node has both; Bun, whose ciphers are BoringSSL's, has no ChaCha20-Poly1305. */
export function isSuiteAvailable(suite: AeadSuite): boolean {
  return getCiphers().includes(suite);
}

/** Length of an AEAD key. */
export const aeadKeyBytes = 32;
/** Length of an AEAD nonce. */
export const aeadIvBytes = 12;
/** Length of an AEAD tag. */
export const aeadTagBytes = 16;
/** What sealing adds to the plaintext: nonce and tag. */
export const aeadOverheadBytes = aeadIvBytes + aeadTagBytes;

/** The sealed bytes are not what was sealed under this key and AAD; which of them differs is not said. */
export class AeadError extends CodedError<'authentication_failed'> {
  constructor() {
    super('authentication_failed', 'sealed bytes failed authentication');
  }
}

/** What to seal; `random` is injected by tests only, `suite` is AES-256-GCM by default. */
export interface SealInput {
  readonly key: SecretBytes;
  readonly plaintext: Uint8Array;
  readonly aad: Uint8Array;
  readonly random?: RandomSource;
  readonly suite?: AeadSuite;
}

/** What to open. */
export interface OpenInput {
  readonly key: SecretBytes;
  readonly sealed: Uint8Array;
  readonly aad: Uint8Array;
  readonly suite?: AeadSuite;
}

/** Encrypts a small value under a fresh random nonce: `iv(12) | ciphertext | tag(16)`. The key is 32 bytes. */
export function sealAead({ key, plaintext, aad, random = systemRandom, suite = 'aes-256-gcm' }: SealInput): Uint8Array {
  const iv = random(aeadIvBytes);
  const cipher = createAeadCipher(suite, key.bytes, iv);
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([iv, ciphertext, cipher.getAuthTag()]);
}

/**
 * The plaintext of what `sealAead` made. The caller owns it, and wraps it in SecretBytes where it is key material.
 * @throws AeadError when anything differs, a length included.
 */
export function openAead({ key, sealed, aad, suite = 'aes-256-gcm' }: OpenInput): Uint8Array {
  if (sealed.length < aeadOverheadBytes) throw new AeadError();
  const tagOffset = sealed.length - aeadTagBytes;
  const decipher = createAeadDecipher(suite, key.bytes, sealed.subarray(0, aeadIvBytes));
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(tagOffset));
  const plaintext = decipher.update(sealed.subarray(aeadIvBytes, tagOffset));
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    throw new AeadError();
  }
  return plaintext;
}

/**
 * A cipher of the suite for one message under one nonce. A KeyObject is cheaper from the second use of the key on; to make
 * one costs as much as half a small message.
 */
export function createAeadCipher(suite: AeadSuite, key: KeyObject | Uint8Array, iv: Uint8Array): CipherGCM {
  return suite === 'aes-256-gcm'
    ? createCipheriv(suite, key, iv, { authTagLength: aeadTagBytes })
    : createCipheriv(suite, key, iv, { authTagLength: aeadTagBytes });
}

/** The decrypting counterpart of `createAeadCipher`. */
export function createAeadDecipher(suite: AeadSuite, key: KeyObject | Uint8Array, iv: Uint8Array): DecipherGCM {
  return suite === 'aes-256-gcm'
    ? createDecipheriv(suite, key, iv, { authTagLength: aeadTagBytes })
    : createDecipheriv(suite, key, iv, { authTagLength: aeadTagBytes });
}
