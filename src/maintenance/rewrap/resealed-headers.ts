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
import { dekAad, ObjectSecrets } from '../../envelope/object-secrets.ts';
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
  readonly envelope: Envelope;
  /** Name of the key to wrap under. */
  readonly keyName: string;
}

/**
 * Headers of the same object with its DEK wrapped under the current version of a key: everything else as it was.
 * @throws EnvelopeError for metadata that is not what was sealed: it must not get a new seal; KeyError; S3Error
 * MetadataTooLarge.
 */
export async function resealedHeaders(
  dataKeys: DataKeys,
  { bucket, key, head, envelope, keyName }: ResealRequest,
  signal?: AbortSignal,
): Promise<{ readonly headers: Headers; readonly label: { readonly keyName: string; readonly keyVersion: string } }> {
  const context = { policy: envelope.policy, bucket };
  const aad = dekAad(bucket, key, envelope.commitment);
  using secrets = ObjectSecrets.of(await dataKeys.unwrap(envelope, { context, aad }, signal), envelope.salt);
  const metadata = openEnvelope(envelope, secrets);
  verifyMetadataDigest(metadata, head.headers);
  const bytes = payloadSize(head.sizeBytes, metadata);
  const wrapped = await dataKeys.wrap(secrets.dek, { keyName, context, aad, bytes }, signal);
  const { suite, segmentSizeBytes, layout, salt, commitment, policy, floeHeader } = envelope;
  const fields = { suite, segmentSizeBytes, layout, salt, commitment, policy, ...(floeHeader && { floeHeader }) };
  const sealed = sealEnvelope({ ...fields, ...wrapped }, metadata, secrets);
  const headers = {
    ...carriedHeaders(head.headers),
    [envelopeHeader]: encodeEnvelope(sealed),
    [keyLabelHeader]: keyLabel(sealed),
  };
  checkStoredMetadataSize(headers);
  return { headers, label: { keyName: wrapped.kekName, keyVersion: wrapped.kekVersion } };
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
