import { holdBackLast } from '../base/streams.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import type { DecodedPayload } from '../s3/payload.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { checksumHeaders } from './checksums.ts';
import { storeEncryptedPart } from './encrypted-part.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { uploadAddress } from './multipart-upload.ts';
import { checkSize, maxPutBytes } from './put-object.ts';

/** UploadPart. */
export async function uploadPart(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const payload = request.payload();
  checkSize(payload.plaintextBytes, maxPutBytes);
  if (request.policy.encryption.mode === 'off') return forwardPart(request, payload, partNumber);
  const { plaintext, plaintextBytes } = payload;
  const { etag } = await storeEncryptedPart(request, gateway, { partNumber, plaintext, plaintextBytes });
  return { status: 200, headers: { ...checksumHeaders(payload), etag } };
}

async function forwardPart(
  request: ObjectRequest,
  payload: DecodedPayload,
  partNumber: number,
): Promise<OperationResult> {
  const stored = await request.backend.store.uploadPart(
    {
      ...uploadAddress(request),
      partNumber,
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
