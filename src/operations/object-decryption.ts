import {
  decodeEnvelope,
  envelopeHeader,
  openEnvelope,
  payloadSize,
  verifyMetadataDigest,
} from '../envelope/envelope.ts';
import type { Envelope, SealedMetadata } from '../envelope/envelope.ts';
import { isOfSameObject, unwrapBeside } from '../envelope/envelope-record.ts';
import type { ObjectSecrets } from '../envelope/object-secrets.ts';
import { unwrapSecrets } from '../envelope/wrapped-dek.ts';
import { isVersionRefused } from '../keys/key-errors.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { ObjectHead } from '../store/object-store.ts';
import { readBeside, type StoredPlace } from './envelope-beside.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';

/** What of the gateway opens objects, and what of a request says which. */
type Opener = Pick<Gateway, 'dataKeys' | 'envelopesBeside' | 'reservedPrefix'>;
type NamedObject = StoredPlace & Pick<ObjectRequest, 'policy'>;

/** An object whose envelope was authenticated for this bucket and key. Dispose of the secrets. */
export interface OpenedObject {
  readonly envelope: Envelope;
  readonly secrets: ObjectSecrets;
  readonly metadata: SealedMetadata;
  readonly plaintextBytes: number;
}

/**
 * Opens the envelope of a stored object: unwraps its key, checks that it belongs to this bucket and key and that nobody
 * changed the metadata. Undefined for an object that is not in format 1, where the policy lets it be read.
 * @throws EnvelopeError, KeyError; S3Error ObjectNotEncrypted.
 */
export async function openObject(
  gateway: Opener,
  request: NamedObject,
  head: ObjectHead,
): Promise<OpenedObject | undefined> {
  const text = head.headers[envelopeHeader];
  if (text === undefined) {
    if (mayReadUnencrypted(request)) return undefined;
    throw notEncrypted(request);
  }
  const envelope = decodeEnvelope(text);
  const secrets = await unwrapStored(gateway, request, { head, text, envelope });
  try {
    const metadata = openEnvelope(envelope, secrets);
    verifyMetadataDigest(metadata, head.headers);
    return { envelope, secrets, metadata, plaintextBytes: payloadSize(head.sizeBytes, metadata) };
  } catch (error) {
    secrets.dispose();
    throw error;
  }
}

interface Stored {
  readonly head: ObjectHead;
  /** The envelope as it stands in the metadata, and decoded. */
  readonly text: string;
  readonly envelope: Envelope;
}

/**
 * Unwraps the DEK of a stored object. Where its key version is refused, the object may be a version that was rewrapped, and
 * has a second envelope beside it: one request more, and only then. Where there is none, the refusal stands.
 */
async function unwrapStored(
  gateway: Opener,
  request: NamedObject,
  { head, text, envelope }: Stored,
): Promise<ObjectSecrets> {
  const unwrap = (wrapped: Envelope): Promise<ObjectSecrets> =>
    unwrapSecrets(gateway.dataKeys, request, wrapped, request.signal);
  const known = gateway.envelopesBeside.find(request, text);
  if (known !== undefined) {
    try {
      return await unwrapBeside(envelope, known, unwrap);
    } catch (error) {
      if (!isVersionRefused(error)) throw error;
      gateway.envelopesBeside.forget(request, text);
    }
  }
  try {
    return await unwrap(envelope);
  } catch (error) {
    if (!isVersionRefused(error)) throw error;
    const beside = await readBeside(request, gateway.reservedPrefix, head);
    if (beside === undefined || !isOfSameObject(envelope, beside)) throw error;
    const secrets = await unwrapBeside(envelope, beside, unwrap);
    gateway.envelopesBeside.remember(request, text, beside);
    return secrets;
  }
}

/** Whether the request's policy lets objects be read that this gateway did not encrypt. */
function mayReadUnencrypted({ policy }: NamedObject): boolean {
  return policy.encryption.mode === 'off' || policy.encryption.unencryptedReads === 'allow';
}

function notEncrypted({ policy }: NamedObject): Error {
  return s3Error(
    'ObjectNotEncrypted',
    `The stored object is not encrypted by this gateway, and policy "${policy.name}" has ` +
      'encryption.unencryptedReads: deny. Set it to allow, or encrypt the object with "s3eg migrate".',
  );
}
