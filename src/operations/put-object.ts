import { holdBackLast } from '../base/streams.ts';
import { encryptObject } from '../envelope/object-writer.ts';
import { ObjectSecrets } from '../envelope/object-secrets.ts';
import { requestConditions } from '../s3/conditions.ts';
import { clientEtag, mapConditions } from '../s3/etag.ts';
import { requestObjectHeaders, responseObjectHeaders } from '../s3/object-headers.ts';
import type { DecodedPayload } from '../s3/payload.ts';
import { s3Error } from '../s3/s3-error.ts';
import { checksumHeaders, sealedChecksums } from './checksums.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { encryptedHeaders } from './object-encryption.ts';

/** S3's limit for one PutObject or UploadPart. */
export const maxPutBytes = 5 * 1024 ** 3;

/**
 * PutObject: one backend request. The index comes after the last byte of the client was verified, so that a wrong
 * checksum, signature or length leaves the backend's request unfinished and nothing is stored.
 */
export async function putObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const headers = requestObjectHeaders(request.headers);
  const payload = request.payload();
  checkSize(payload.plaintextBytes, Math.min(maxPutBytes, request.policy.limits.maxObjectBytes));
  return request.policy.encryption.mode === 'off'
    ? putPlain(request, payload, headers)
    : putEncrypted(request, gateway, payload, headers);
}

/** @throws S3Error EntityTooLarge */
export function checkSize(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw s3Error('EntityTooLarge', undefined, {
    details: { ProposedSize: String(sizeBytes), MaxSizeAllowed: String(maxBytes) },
  });
}

async function putPlain(
  request: ObjectRequest,
  payload: DecodedPayload,
  headers: Readonly<Record<string, string>>,
): Promise<OperationResult> {
  const stored = await request.backend.store.putObject(
    {
      bucket: request.bucket,
      key: request.key,
      headers,
      conditions: requestConditions(request.headers),
      body: holdBackLast(payload.plaintext),
      lengthBytes: payload.plaintextBytes,
    },
    { signal: request.signal },
  );
  return {
    status: 200,
    headers: { ...responseObjectHeaders(stored.headers), ...checksumHeaders(payload), etag: stored.etag },
  };
}

async function putEncrypted(
  request: ObjectRequest,
  gateway: Gateway,
  payload: DecodedPayload,
  headers: Readonly<Record<string, string>>,
): Promise<OperationResult> {
  const { encryption } = request.policy;
  using secrets = ObjectSecrets.generate();
  const encrypted = encryptObject({
    secrets,
    suite: encryption.suite,
    segmentSizeBytes: encryption.segmentSizeBytes,
    plaintext: payload.plaintext,
    plaintextBytes: payload.plaintextBytes,
    checksums: () => sealedChecksums(payload.checksums()),
  });
  const stored = await request.backend.store.putObject(
    {
      bucket: request.bucket,
      key: request.key,
      headers: await encryptedHeaders(gateway, request, {
        secrets,
        headers,
        plaintextBytes: payload.plaintextBytes,
        layout: 'single',
        floeHeader: encrypted.floeHeader,
        checksums: sealedChecksums(payload.declaredChecksums()),
      }),
      conditions: mapConditions(requestConditions(request.headers)),
      body: encrypted.body,
      lengthBytes: encrypted.storedBytes,
    },
    { signal: request.signal },
  );
  return {
    status: 200,
    headers: { ...responseObjectHeaders(stored.headers), ...checksumHeaders(payload), etag: clientEtag(stored.etag) },
  };
}
