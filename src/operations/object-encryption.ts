import {
  metadataDigest,
  envelopeHeader,
  encodeEnvelope,
  keyLabel,
  keyLabelHeader,
  sealEnvelope,
} from '../envelope/envelope.ts';
import type { Envelope, SealedChecksum } from '../envelope/envelope.ts';
import { dekAad, type ObjectSecrets } from '../envelope/object-secrets.ts';
import type { Headers } from '../store/object-store.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';

/** S3's default where a client gives none; always stored, so that the sealed digest has a value to hold to. */
const defaultContentType = 'binary/octet-stream';

/** What a new object's envelope is made for. */
export interface NewObject {
  readonly secrets: ObjectSecrets;
  /** Client headers that are stored. */
  readonly headers: Readonly<Record<string, string>>;
  readonly plaintextBytes: number;
  readonly layout: Envelope['layout'];
  readonly floeHeader?: Uint8Array;
  readonly checksums: readonly SealedChecksum[];
}

/** Wraps the object's DEK and gives the headers to store: the client's, the envelope, the key label. */
export async function encryptedHeaders(gateway: Gateway, request: ObjectRequest, object: NewObject): Promise<Headers> {
  const { policy, bucket, key } = request;
  const { secrets } = object;
  await gateway.canaries.check({ backend: request.backend, bucket, keyName: policy.encryption.key }, request.signal);
  const wrapped = await gateway.dataKeys.wrap(
    secrets.dek,
    {
      keyName: policy.encryption.key,
      context: { policy: policy.name, bucket },
      aad: dekAad(bucket, key, secrets.commitment),
      bytes: object.plaintextBytes,
    },
    request.signal,
  );
  const headers = { 'content-type': defaultContentType, ...object.headers };
  const envelope = sealEnvelope(
    {
      suite: policy.encryption.suite,
      segmentSizeBytes: policy.encryption.segmentSizeBytes,
      layout: object.layout,
      salt: secrets.salt,
      commitment: secrets.commitment,
      policy: policy.name,
      ...wrapped,
      ...(object.floeHeader === undefined ? {} : { floeHeader: object.floeHeader }),
    },
    { metadataDigest: metadataDigest(headers), checksums: object.checksums },
    secrets,
  );
  return { ...headers, [envelopeHeader]: encodeEnvelope(envelope), [keyLabelHeader]: keyLabel(envelope) };
}
