import {
  metadataDigest,
  envelopeHeader,
  encodeEnvelope,
  keyLabel,
  keyLabelHeader,
  sealEnvelope,
} from '../envelope/envelope.ts';
import type { EnvelopeFields, SealedMetadata } from '../envelope/envelope.ts';
import type { ObjectSecrets } from '../envelope/object-secrets.ts';
import { dekBinding } from '../envelope/wrapped-dek.ts';
import { checkStoredMetadataSize } from '../s3/object-headers.ts';
import type { Headers } from '../store/object-store.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';

/** S3's default where a client gives none; always stored, so that the sealed digest has a value to hold to. */
const defaultContentType = 'binary/octet-stream';

/** What an object's envelope is made for. */
export interface EnvelopeContent {
  readonly secrets: ObjectSecrets;
  /** Client headers that are stored. */
  readonly headers: Readonly<Record<string, string>>;
  readonly plaintextBytes: number;
  /** How the payload is encrypted. */
  readonly payload: Pick<EnvelopeFields, 'suite' | 'segmentSizeBytes' | 'layout' | 'floeHeader'>;
  readonly metadata: Omit<SealedMetadata, 'metadataDigest'>;
}

/**
 * Wraps the object's DEK for the request's bucket, key and policy, and gives the headers to store: the client's, the
 * envelope, the key label.
 * @throws S3Error MetadataTooLarge; KeyError.
 */
export async function encryptedHeaders(
  gateway: Gateway,
  request: ObjectRequest,
  content: EnvelopeContent,
): Promise<Headers> {
  const { policy, bucket, key } = request;
  const { secrets } = content;
  // Without what the client expects of the bucket's owner: canaries may be in another one.
  const backend = gateway.backends.get(request.backend.name) ?? request.backend;
  await gateway.canaries.check({ backend, bucket, keyName: policy.encryption.key }, request.signal);
  const wrapped = await gateway.dataKeys.wrap(
    secrets.dek,
    {
      keyName: policy.encryption.key,
      ...dekBinding({ policy: policy.name, commitment: secrets.commitment }, { bucket, key }),
      bytes: content.plaintextBytes,
    },
    request.signal,
  );
  const headers = { 'content-type': defaultContentType, ...content.headers };
  const envelope = sealEnvelope(
    {
      ...content.payload,
      salt: secrets.salt,
      commitment: secrets.commitment,
      policy: policy.name,
      ...wrapped,
    },
    { ...content.metadata, metadataDigest: metadataDigest(headers) },
    secrets,
  );
  const stored = { ...headers, [envelopeHeader]: encodeEnvelope(envelope), [keyLabelHeader]: keyLabel(envelope) };
  checkStoredMetadataSize(stored);
  return stored;
}
