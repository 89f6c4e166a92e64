/** What ties a FLOE message to its place in an object (docs/format/format-1.md, section 5). */
import { FloeDecryptor } from '../crypto/floe.ts';
import type { EnvelopeFields } from './envelope-fields.ts';
import { authenticated } from './envelope-error.ts';
import { u32, u8 } from './field-reader.ts';
import { attemptTagBytes } from './object-index.ts';
import type { ObjectSecrets } from './object-secrets.ts';

/** The tag begins behind 10 bytes of parameters and 32 of IV. */
const headerTagOffset = 42;

/** FLOE AAD of a part; part number 0 is the single layout (F1-MSG-2, F1-MSG-3). */
export function messageAad(partNumber: number): Uint8Array {
  return Buffer.concat([Buffer.from('s3eg1 message'), u32(partNumber), u8(partNumber === 0 ? 0 : 1)]);
}

/** The attempt tag of the message with this header. */
export function attemptTagOf(header: Uint8Array): Uint8Array {
  return new Uint8Array(header.subarray(headerTagOffset, headerTagOffset + attemptTagBytes));
}

/**
 * Verifies a message's header, its parameters included (F1-MSG-4), and gives what decrypts its segments.
 * @throws EnvelopeError `authentication_failed`.
 */
export function openMessage(
  secrets: ObjectSecrets,
  envelope: Pick<EnvelopeFields, 'suite' | 'segmentSizeBytes'>,
  partNumber: number,
  header: Uint8Array,
): FloeDecryptor {
  using key = secrets.messageKey(partNumber);
  const expected = { suite: envelope.suite, segmentSizeBytes: envelope.segmentSizeBytes };
  return authenticated(() => FloeDecryptor.open(key, messageAad(partNumber), header, { expected }));
}
