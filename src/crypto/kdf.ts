import { hkdfSync } from 'node:crypto';

import { SecretBytes } from './secret-bytes.ts';

/**
 * HKDF with SHA-384 (RFC 5869, extract and expand): `length` bytes for the purpose named by `info`.
 * A string `info` is taken as UTF-8. The input key is left as it is; the caller disposes both.
 */
export function hkdfSha384(ikm: SecretBytes, salt: Uint8Array, info: string | Uint8Array, length: number): SecretBytes {
  return new SecretBytes(new Uint8Array(hkdfSync('sha384', ikm.bytes, salt, info, length)));
}
