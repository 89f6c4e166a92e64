import { createHmac, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';

import { AeadError, aeadIvBytes, aeadKeyBytes, aeadTagBytes, openAead, sealAead, type AeadSuite } from './aead.ts';
import { SecretBytes } from './secret-bytes.ts';

const kemId = 0x0020;
const kdfId = 0x0001;
const aeadIds: Readonly<Record<AeadSuite, number>> = { 'aes-256-gcm': 0x0002, 'chacha20-poly1305': 0x0003 };
const publicKeyBytes = 32;
const hashBytes = 32;

/** What sealing adds to the plaintext: the encapsulated key and a tag. */
export const hpkeOverheadBytes = publicKeyBytes + aeadTagBytes;

/** What both ends have in common. */
interface HpkeContext {
  readonly info: Uint8Array;
  readonly aad: Uint8Array;
  /** AES-256-GCM by default. */
  readonly suite?: AeadSuite;
}

/** What to seal, and for whom; `ephemeral` is given by tests only. */
export interface HpkeSealInput extends HpkeContext {
  /** An X25519 public key. */
  readonly recipient: KeyObject;
  readonly plaintext: Uint8Array;
  readonly ephemeral?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

/** What to open. */
export interface HpkeOpenInput extends HpkeContext {
  /** An X25519 private key. */
  readonly recipient: KeyObject;
  readonly sealed: Uint8Array;
}

/**
 * Encrypts one message to a public key: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, single shot:
 * `enc(32) | ciphertext | tag(16)`.
 */
export function sealHpke(input: HpkeSealInput): Uint8Array {
  const { recipient, plaintext, aad, suite = 'aes-256-gcm' } = input;
  const { publicKey, privateKey } = input.ephemeral ?? generateKeyPairSync('x25519');
  const encapsulated = rawPublicKey(publicKey);
  const kemContext = Buffer.concat([encapsulated, rawPublicKey(recipient)]);
  using shared = sharedSecret({ privateKey, publicKey: recipient, kemContext });
  const { key, nonce } = keySchedule(shared, input.info, suite);
  using secret = key;
  const sealed = sealAead({ key: secret, plaintext, aad, suite, random: () => nonce });
  return Buffer.concat([encapsulated, sealed.subarray(aeadIvBytes)]);
}

/**
 * The plaintext of what `sealHpke` made; the caller owns it.
 * @throws AeadError when anything differs, a length included.
 */
export function openHpke({ recipient, sealed, info, aad, suite = 'aes-256-gcm' }: HpkeOpenInput): Uint8Array {
  if (sealed.length < hpkeOverheadBytes) throw new AeadError();
  const encapsulated = sealed.subarray(0, publicKeyBytes);
  const kemContext = Buffer.concat([encapsulated, rawPublicKey(createPublicKey(recipient))]);
  using shared = sharedSecret({ privateKey: recipient, publicKey: publicKeyOf(encapsulated), kemContext });
  const { key, nonce } = keySchedule(shared, info, suite);
  using secret = key;
  return openAead({ key: secret, sealed: Buffer.concat([nonce, sealed.subarray(publicKeyBytes)]), aad, suite });
}

/** The 32 bytes of an X25519 public key. */
export function rawPublicKey(key: KeyObject): Buffer {
  const { crv, x } = key.export({ format: 'jwk' });
  if (crv !== 'X25519' || x === undefined) throw new RangeError('not an X25519 public key');
  return Buffer.from(x, 'base64url');
}

function publicKeyOf(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}

/** ExtractAndExpand of section 4.1, over the Diffie-Hellman result. */
function sharedSecret(input: {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly kemContext: Uint8Array;
}): SecretBytes {
  const suiteId = Buffer.concat([Buffer.from('KEM'), u16(kemId)]);
  using secret = new SecretBytes(agree(input));
  using prk = extract(suiteId, '', 'eae_prk', secret.bytes);
  return expand(suiteId, prk, { label: 'shared_secret', info: input.kemContext, length: hashBytes });
}

function agree({ privateKey, publicKey }: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    // A point of small order, which gives no secret (RFC 9180, section 7.1.4).
    throw new AeadError();
  }
}

/** KeySchedule of section 5.1 in base mode, without pre-shared key. */
function keySchedule(
  shared: SecretBytes,
  info: Uint8Array,
  suite: AeadSuite,
): { readonly key: SecretBytes; readonly nonce: Uint8Array } {
  const suiteId = Buffer.concat([Buffer.from('HPKE'), u16(kemId), u16(kdfId), u16(aeadIds[suite])]);
  using pskIdHash = extract(suiteId, '', 'psk_id_hash', Buffer.alloc(0));
  using infoHash = extract(suiteId, '', 'info_hash', info);
  const context = Buffer.concat([Buffer.of(0), pskIdHash.bytes, infoHash.bytes]);
  using secret = extract(suiteId, shared.bytes, 'secret', Buffer.alloc(0));
  const key = expand(suiteId, secret, { label: 'key', info: context, length: aeadKeyBytes });
  using nonce = expand(suiteId, secret, { label: 'base_nonce', info: context, length: aeadIvBytes });
  return { key, nonce: Uint8Array.from(nonce.bytes) };
}

/** LabeledExtract of section 4. */
function extract(suiteId: Uint8Array, salt: string | Uint8Array, label: string, ikm: Uint8Array): SecretBytes {
  const hmac = createHmac('sha256', salt).update('HPKE-v1').update(suiteId).update(label);
  return new SecretBytes(hmac.update(ikm).digest());
}

/** LabeledExpand of section 4, for at most one block of the hash. */
function expand(
  suiteId: Uint8Array,
  prk: SecretBytes,
  { label, info, length }: { readonly label: string; readonly info: Uint8Array; readonly length: number },
): SecretBytes {
  const hmac = createHmac('sha256', prk.bytes).update(u16(length)).update('HPKE-v1').update(suiteId).update(label);
  using block = new SecretBytes(hmac.update(info).update(Buffer.of(1)).digest());
  return SecretBytes.copyOf(block.bytes.subarray(0, length));
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
