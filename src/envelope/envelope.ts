/** The envelope: all that an object needs besides its bytes, in one metadata field (docs/format/format-1.md, section 7). */
import { aeadOverheadBytes, openAead, sealAead } from '../crypto/aead.ts';
import { systemRandom, type RandomSource } from '../crypto/random.ts';
import { decodeFields, encodeFields, type EnvelopeFields } from './envelope-fields.ts';
import { authenticated } from './envelope-error.ts';
import { FieldReader, malformed } from './field-reader.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import {
  decodeSealedMetadata,
  encodeSealedMetadata,
  maxSealedMetadataBytes,
  minSealedMetadataBytes,
  type SealedMetadata,
} from './sealed-metadata.ts';

export type { ChecksumAlgorithm, SealedChecksum } from './checksums.ts';
export type { EnvelopeFields } from './envelope-fields.ts';
export { envelopeHeader, keyLabelHeader, metadataDigest } from './metadata-digest.ts';
export { payloadSize, verifyMetadataDigest, type SealedMetadata } from './sealed-metadata.ts';

/** The fields and the sealed metadata, which `openEnvelope` opens. */
export interface Envelope extends EnvelopeFields {
  readonly sealedMetadata: Uint8Array;
}

/** The bytes of the fields of envelopes that were decoded: what `encodeFields` makes of them again, and nothing else. */
const decodedFields = new WeakMap<Envelope, Uint8Array>();

const maxEnvelopeCharacters = 4_096;
const base64url = /^[A-Za-z0-9_-]*$/;

/**
 * Seals `metadata` together with all fields. To change a field (rewrap, copy) open it, and seal it anew.
 * @throws RangeError for a value that the format cannot hold, or fields that are not those of `secrets`.
 */
export function sealEnvelope(
  fields: EnvelopeFields,
  metadata: SealedMetadata,
  secrets: ObjectSecrets,
  random: RandomSource = systemRandom,
): Envelope {
  const ours = Buffer.compare(fields.commitment, secrets.commitment) || Buffer.compare(fields.salt, secrets.salt);
  if (ours !== 0) throw new RangeError('salt and commitment of an envelope are those of its secrets');
  using key = secrets.metadataKey();
  const sealedMetadata = sealAead({
    key,
    plaintext: encodeSealedMetadata(metadata),
    // F1-ENV-5
    aad: encodeFields(fields),
    random,
  });
  return { ...fields, sealedMetadata };
}

/**
 * Proves that the envelope is genuine, and gives its metadata; nothing of it is to be trusted before (F1-ENV-6).
 * @throws EnvelopeError `authentication_failed`, or what `decodeSealedMetadata` throws.
 */
export function openEnvelope(envelope: Envelope, secrets: ObjectSecrets): SealedMetadata {
  secrets.verifyCommitment(envelope.commitment);
  using key = secrets.metadataKey();
  const aad = decodedFields.get(envelope) ?? encodeFields(envelope);
  return decodeSealedMetadata(authenticated(() => openAead({ key, sealed: envelope.sealedMetadata, aad })));
}

/** Value of `x-amz-meta-s3eg`. */
export function encodeEnvelope(envelope: Envelope): string {
  return Buffer.concat([encodeFields(envelope), envelope.sealedMetadata]).toString('base64url');
}

/**
 * Reads the value of `x-amz-meta-s3eg`; nothing of it is authenticated yet.
 * @throws EnvelopeError `malformed` or `unsupported`.
 */
export function decodeEnvelope(text: string): Envelope {
  // F1-ENV-1
  if (text.length > maxEnvelopeCharacters || !base64url.test(text)) throw malformed('the envelope is not base64url');
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw malformed('the envelope is not canonical base64url');
  const reader = new FieldReader(bytes);
  const fields = decodeFields(reader);
  const fieldBytes = bytes.subarray(0, reader.offset);
  const sealedMetadata = reader.rest();
  const plaintextBytes = sealedMetadata.length - aeadOverheadBytes;
  if (plaintextBytes < minSealedMetadataBytes || plaintextBytes > maxSealedMetadataBytes) {
    throw malformed('the sealed metadata is out of bounds');
  }
  const envelope = { ...fields, sealedMetadata };
  decodedFields.set(envelope, fieldBytes);
  return envelope;
}

/** Value of `x-amz-meta-s3eg-key`, a label for people and tools. */
export function keyLabel(envelope: Pick<EnvelopeFields, 'kekName' | 'kekVersion'>): string {
  return `${envelope.kekName}:${envelope.kekVersion}`;
}
