import { KeyError, type EncryptionContext } from './key-provider.ts';

const maxFieldBytes = 0xffff;

/**
 * Bytes of an encryption context: `u16be length | policy | u16be length | bucket`, both in UTF-8. The lengths make it
 * unambiguous, so that it can stand in an AAD or a digest.
 * @throws KeyError `misconfigured` for a name of more than 65 535 bytes.
 */
export function encodeContext({ policy, bucket }: EncryptionContext): Uint8Array {
  return Buffer.concat([...field('policy', policy), ...field('bucket', bucket)]);
}

/** `u16be length | bytes` of a UTF-8 string; `what` names it in the error. */
function field(what: string, text: string): readonly Uint8Array[] {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > maxFieldBytes) {
    throw new KeyError('misconfigured', `the ${what} name has ${bytes.length} bytes, more than ${maxFieldBytes}`);
  }
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return [length, bytes];
}
