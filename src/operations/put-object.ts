import type { ByteStream } from '../base/byte-stream.ts';
import { holdBackLast } from '../base/streams.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import { encryptObject } from '../envelope/object-writer.ts';
import { ObjectSecrets } from '../envelope/object-secrets.ts';
import { requestConditions } from '../s3/conditions.ts';
import { mapConditions } from '../s3/etag.ts';
import {
  maxMetadataBytes,
  maxUserMetadataBytes,
  requestObjectHeaders,
  responseObjectHeaders,
} from '../s3/object-headers.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { Headers, WriteResult } from '../store/object-store.ts';
import { objectChecksumHeaders } from './checksums.ts';
import { payloadContent, payloadContentWithMd5 } from './content-md5.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { encryptedHeaders } from './object-encryption.ts';
import { showsMd5, shownEtag } from './shown-etag.ts';

/** S3's limit for one PutObject or UploadPart. */
export const maxPutBytes = 5 * 1024 ** 3;

/**
 * PutObject: one backend request. The index comes after the last byte of the client was verified, so that a wrong
 * checksum, signature or length leaves the backend's request unfinished and nothing is stored.
 */
export async function putObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const encrypts = request.policy.encryption.mode === 'required';
  const headers = requestObjectHeaders(request.headers, encrypts ? maxUserMetadataBytes : maxMetadataBytes);
  const payload = request.payload();
  checkSize(payload.plaintextBytes, Math.min(maxPutBytes, request.policy.limits.maxObjectBytes));
  const content = showsMd5(request) ? await payloadContentWithMd5(payload) : payloadContent(payload);
  const stored = encrypts
    ? await storeEncrypted(request, gateway, { headers, ...content })
    : await storePlain(request, { headers, ...content });
  const etag = shownEtag(request, stored.etag, { checksums: content.checksums(), partCount: 1 });
  return {
    status: 200,
    headers: { ...responseObjectHeaders(stored.headers), ...objectChecksumHeaders(payload), etag },
  };
}

/** @throws S3Error EntityTooLarge */
export function checkSize(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw s3Error('EntityTooLarge', undefined, {
    details: { ProposedSize: String(sizeBytes), MaxSizeAllowed: String(maxBytes) },
  });
}

/** An object to be put in one piece. */
export interface NewContent {
  /** What stands beside the content: system headers, user metadata, tags … */
  readonly headers: Headers;
  readonly plaintext: ByteStream;
  readonly plaintextBytes: number;
}

/** Its checksums: those known before the plaintext streams, and all of them once it has ended. */
export interface ContentChecksums {
  readonly declaredChecksums: readonly SealedChecksum[];
  readonly checksums: () => readonly SealedChecksum[];
}

/** Puts an object as it is at the request's bucket and key, under the request's conditions. */
export async function storePlain(
  request: ObjectRequest,
  { headers, plaintext, plaintextBytes }: NewContent,
): Promise<WriteResult> {
  const { bucket, key, backend, signal } = request;
  const conditions = requestConditions(request.headers);
  const body = holdBackLast(plaintext);
  return await backend.store.putObject(
    { bucket, key, headers, conditions, body, lengthBytes: plaintextBytes },
    { signal },
  );
}

/** Encrypts an object while it streams to the request's bucket and key, under the request's conditions. */
export async function storeEncrypted(
  request: ObjectRequest,
  gateway: Gateway,
  content: NewContent & ContentChecksums,
): Promise<WriteResult> {
  const { suite, segmentSizeBytes } = request.policy.encryption;
  const { headers, plaintext, plaintextBytes, declaredChecksums, checksums } = content;
  using secrets = ObjectSecrets.generate();
  const { segmentPool: pool } = gateway;
  const encrypted = encryptObject({ secrets, suite, segmentSizeBytes, plaintext, plaintextBytes, checksums, pool });
  const stored = encryptedHeaders(gateway, request, {
    secrets,
    headers,
    plaintextBytes,
    payload: { suite, segmentSizeBytes, layout: 'single', floeHeader: encrypted.floeHeader },
    metadata: { checksums: declaredChecksums, payloadBytes: plaintextBytes },
  });
  return await request.backend.store.putObject(
    {
      bucket: request.bucket,
      key: request.key,
      headers: await stored.catch(async (error: unknown) => {
        await encrypted.body[Symbol.asyncIterator]().return?.();
        throw error;
      }),
      conditions: mapConditions(requestConditions(request.headers)),
      body: encrypted.body,
      lengthBytes: encrypted.storedBytes,
    },
    { signal: request.signal },
  );
}
