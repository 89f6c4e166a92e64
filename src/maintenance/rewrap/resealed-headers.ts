import {
  encodeEnvelope,
  envelopeHeader,
  keyLabel,
  keyLabelHeader,
  openEnvelope,
  payloadSize,
  sealEnvelope,
  verifyMetadataDigest,
  type Envelope,
} from '../../envelope/envelope.ts';
import { dekBinding, unwrapSecrets } from '../../envelope/wrapped-dek.ts';
import type { DataKeys } from '../../keys/data-keys.ts';
import { checkStoredMetadataSize } from '../../s3/object-headers.ts';
import type { Headers, ObjectHead } from '../../store/object-store.ts';

/** What of a HEAD is set again, so that a copy with replaced metadata keeps it; tags are copied by the backend. */
const carried =
  /^(?:cache-control|content-disposition|content-encoding|content-language|content-type|expires|x-amz-storage-class|x-amz-website-redirect-location|x-amz-server-side-encryption(?:-aws-kms-key-id|-bucket-key-enabled)?|x-amz-meta-.*)$/;

/** An object that is to be under another key. */
export interface ResealRequest {
  readonly bucket: string;
  readonly key: string;
  readonly head: ObjectHead;
  /** The envelope in the object's metadata. */
  readonly envelope: Envelope;
  /** One beside it that was proven to be the same object's: its key is taken. */
  readonly beside?: Envelope | undefined;
  /** Name of the key to wrap under. */
  readonly keyName: string;
}

/**
 * The envelope of the same object with its DEK wrapped under the current version of a key: everything else as it was.
 * @throws EnvelopeError for metadata that is not what was sealed: it must not get a new seal; KeyError.
 */
export async function reseal(
  dataKeys: DataKeys,
  { bucket, key, head, envelope, beside = envelope, keyName }: ResealRequest,
  signal?: AbortSignal,
): Promise<Envelope> {
  using secrets = await unwrapSecrets(dataKeys, { bucket, key }, beside, signal);
  const metadata = openEnvelope(envelope, secrets);
  verifyMetadataDigest(metadata, head.headers);
  const bytes = payloadSize(head.sizeBytes, metadata);
  const binding = dekBinding(envelope, { bucket, key });
  const wrapped = await dataKeys.wrap(secrets.dek, { keyName, ...binding, bytes }, signal);
  const { suite, segmentSizeBytes, layout, salt, commitment, policy, floeHeader } = envelope;
  const fields = { suite, segmentSizeBytes, layout, salt, commitment, policy, ...(floeHeader && { floeHeader }) };
  return sealEnvelope({ ...fields, ...wrapped }, metadata, secrets);
}

/**
 * Headers of an object with another envelope: everything else as it was.
 * @throws S3Error MetadataTooLarge.
 */
export function resealedHeaders(head: ObjectHead, envelope: Envelope): Headers {
  const headers = {
    ...carriedHeaders(head.headers),
    [envelopeHeader]: encodeEnvelope(envelope),
    [keyLabelHeader]: keyLabel(envelope),
  };
  checkStoredMetadataSize(headers);
  return headers;
}

function carriedHeaders(headers: Headers): Headers {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => carried.test(name)));
  return { ...kept, ...lockHeaders(headers) };
}

/** A lock is the version's own: the new version gets the same, where it has not run out (S3 refuses one in the past). */
function lockHeaders(headers: Headers): Headers {
  const mode = headers['x-amz-object-lock-mode'];
  const until = headers['x-amz-object-lock-retain-until-date'];
  const retained = mode !== undefined && until !== undefined && Date.parse(until) > Date.now();
  return {
    ...(retained ? { 'x-amz-object-lock-mode': mode, 'x-amz-object-lock-retain-until-date': until } : {}),
    ...(hasLegalHold(headers) ? { 'x-amz-object-lock-legal-hold': 'ON' } : {}),
  };
}

function hasLegalHold(headers: Headers): boolean {
  return headers['x-amz-object-lock-legal-hold'] === 'ON';
}

/** Whether the state that was looked at is locked: it stays, under its old key, behind the new version. */
export function isLocked(headers: Headers): boolean {
  return hasLegalHold(headers) || headers['x-amz-object-lock-mode'] !== undefined;
}
