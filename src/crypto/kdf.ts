import { hmac, hmacOfSecret } from '../base/hmac.ts';
import { SecretBytes } from './secret-bytes.ts';

/** Length of a hash of SHA-384. */
const digestBytes = 48;
/** The number of the block, which follows `info`. */
const firstBlock = Uint8Array.of(1);

/**
 * The first step of HKDF (RFC 5869) with SHA-384: 48 bytes, from which `expandSha384` makes the keys. `ikm` is left as it is; the
 * caller disposes both.
 */
export function extractSha384(ikm: SecretBytes, salt: Uint8Array): SecretBytes {
  return new SecretBytes(hmacOfSecret('sha384', salt, [ikm.bytes]));
}

/**
 * The second step of HKDF with SHA-384, `length` bytes for the purpose named by the pieces of `info`: at most one hash, so that
 * it is the first block T(1) = HMAC(prk, info | 0x01) of RFC 5869, section 2.3. The caller disposes it.
 */
export function expandSha384(prk: Uint8Array, info: readonly Uint8Array[], length: number): SecretBytes {
  if (length > digestBytes) throw new RangeError(`one block of HKDF-SHA-384 has ${digestBytes} bytes`);
  const block = hmac('sha384', prk, [...info, firstBlock]);
  block.fill(0, length);
  return new SecretBytes(new Uint8Array(block.buffer, block.byteOffset, length));
}
