import { envelopeHeader, type SealedChecksum } from '../envelope/envelope.ts';
import { evaluateConditions, requestConditions } from '../s3/conditions.ts';
import { mapConditions } from '../s3/etag.ts';
import { copiedObjectHeaders, maxMetadataBytes, maxUserMetadataBytes } from '../s3/object-headers.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { Conditions, CopyObjectRequest, Headers } from '../store/object-store.ts';
import type { Copied, CopyDirectives } from './copy-object.ts';
import type { CopySource } from './copy-source.ts';
import { addressOf } from './get-object.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import type { OpenedObject } from './object-decryption.ts';
import { encryptedHeaders } from './object-encryption.ts';
import { sealedMd5, showsMd5, shownEtag } from './shown-etag.ts';

/** A copy of which everything is known before: also the checksums that are sealed with it. */
export interface KnownCopy extends CopyDirectives {
  readonly checksums: readonly SealedChecksum[];
}

/**
 * A copy that the backend makes: no byte of the object passes through the gateway. What is encrypted stays as it is, with
 * its layout, suite and segment size; only its key is wrapped anew, for the destination, and its metadata sealed again.
 */
export async function copyWithinBackend(
  source: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  directives: KnownCopy,
): Promise<Copied> {
  const { bucket, key, backend, signal } = request;
  const form =
    source.opened === undefined
      ? plainForm(source, request, directives)
      : await encryptedForm(source, source.opened, { request, gateway, directives });
  await checkDestination(request, form.conditions);
  const copied = await backend.store.copyObject(
    {
      bucket,
      key,
      source: addressOf(source.request),
      // The envelope was made for this state of the source.
      sourceConditions: { ifMatch: source.head.etag },
      tags: directives.tags,
      ...form,
    },
    { signal },
  );
  const etag = await copiedEtag(copied.etag, source, request, gateway);
  return { ...copied, etag, checksums: directives.checksums };
}

/** What is sealed with the source is sealed with its copy. */
async function copiedEtag(
  etag: string,
  { opened, request: source, head }: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
): Promise<string> {
  if (opened === undefined || !showsMd5(request)) return shownEtag(request, etag);
  return shownEtag(request, etag, await sealedMd5(source, gateway, opened, head));
}

interface Form extends Pick<CopyObjectRequest, 'headers' | 'metadata'> {
  readonly conditions: Conditions;
}

/**
 * Not every backend evaluates the conditions of a copy (MinIO and versitygw pass them over), and none says that it does
 * not: what can be seen to fail is refused here; the backend has the last word where it has one.
 * @throws S3Error PreconditionFailed, NoSuchKey.
 */
async function checkDestination(
  { bucket, key, backend, signal }: ObjectRequest,
  conditions: Conditions,
): Promise<void> {
  if (Object.keys(conditions).length === 0) return;
  const current = await backend.store.headObject({ bucket, key }, { signal }).catch((error: unknown) => {
    if (error instanceof S3Error && error.status === 404) return undefined;
    throw error;
  });
  const state = current && { etag: current.etag, lastModifiedMs: Date.parse(current.lastModified) };
  const failure = evaluateConditions(conditions, state, 'PUT');
  if (failure !== undefined) throw s3Error(failure);
}

function plainForm(source: CopySource, { headers }: ObjectRequest, directives: CopyDirectives): Form {
  const copied = copiedHeaders(source, headers, directives, maxMetadataBytes);
  const algorithm = headers['x-amz-checksum-algorithm'];
  return {
    headers: { ...copied, ...(algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm }) },
    metadata: directives.metadata,
    conditions: requestConditions(headers),
  };
}

async function encryptedForm(
  source: CopySource,
  opened: OpenedObject,
  { request, gateway, directives }: { request: ObjectRequest; gateway: Gateway; directives: KnownCopy },
): Promise<Form> {
  const { secrets, metadata, plaintextBytes, envelope } = opened;
  const { suite, segmentSizeBytes, layout, floeHeader } = envelope;
  const headers = await encryptedHeaders(gateway, request, {
    secrets,
    headers: copiedHeaders(source, request.headers, directives, maxUserMetadataBytes),
    plaintextBytes,
    payload: { suite, segmentSizeBytes, layout, ...(floeHeader === undefined ? {} : { floeHeader }) },
    metadata: { ...metadata, checksums: directives.checksums },
  });
  // The envelope is part of the metadata, so the backend must never take over the source's.
  return { headers, metadata: 'REPLACE', conditions: mapConditions(requestConditions(request.headers)) };
}

/** Client headers of the copy; the source's come without its envelope. */
function copiedHeaders(
  { head }: CopySource,
  requested: ObjectRequest['headers'],
  directives: CopyDirectives,
  maxUserBytes: number,
): Headers {
  const { [envelopeHeader]: _envelope, ...source } = head.headers;
  return copiedObjectHeaders({ requested, source, ...directives, maxUserBytes });
}
