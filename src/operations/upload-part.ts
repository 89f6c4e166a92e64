import { holdBackLast } from '../base/streams.ts';
import { encryptPart } from '../envelope/object-writer.ts';
import { partEtag } from '../s3/etag.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import type { DecodedPayload } from '../s3/payload.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import { checksumHeaders } from './checksums.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { minPartBytes, requireOpenUpload, tagHex, uploadAddress, uploadEnvelope } from './multipart-upload.ts';
import { unwrapSecrets } from './object-decryption.ts';
import { checkSize, maxPutBytes } from './put-object.ts';

const maxPartNumber = 10_000;

/**
 * UploadPart: encrypts while it streams, whatever the size, under a fresh FLOE IV, so that a part sent twice shares no
 * key with its first attempt. A part below S3's minimum can only be the last one, which gets the index: it is staged.
 */
export async function uploadPart(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const payload = request.payload();
  checkSize(payload.plaintextBytes, maxPutBytes);
  return request.policy.encryption.mode === 'off'
    ? forwardPart(request, payload, partNumber)
    : encryptAndForward(request, gateway, payload, partNumber);
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

async function encryptAndForward(
  request: ObjectRequest,
  gateway: Gateway,
  payload: DecodedPayload,
  partNumber: number,
): Promise<OperationResult> {
  const { backend, signal } = request;
  const address = uploadAddress(request);
  const { plaintextBytes } = payload;
  const isStaged = plaintextBytes < minPartBytes;
  if (partNumber === maxPartNumber && !isStaged) throw noRoomForIndex();
  const envelope = await uploadEnvelope(request);
  // The ledger takes a part whether the upload is open or not, and its record may be one that was cached.
  if (isStaged) await requireOpenUpload(request);
  using secrets = await unwrapSecrets(gateway, request, envelope);
  const part = encryptPart({
    secrets,
    partNumber,
    suite: envelope.suite,
    segmentSizeBytes: envelope.segmentSizeBytes,
    plaintext: payload.plaintext,
    plaintextBytes,
  });
  const attemptTag = tagHex(part.attemptTag);
  // A stream of exactly the announced length can be whole for the backend before its end is verified.
  const body = holdBackLast(part.body);
  const stored = isStaged
    ? await backend.ledger.stagePart(
        address,
        { partNumber, attemptTag, plaintextBytes, body, lengthBytes: part.storedBytes },
        { signal },
      )
    : await backend.store.uploadPart({ ...address, partNumber, body, lengthBytes: part.storedBytes }, { signal });
  gateway.partTags.remember({ uploadId: address.uploadId, partNumber, backendEtag: stored.etag }, attemptTag);
  return { status: 200, headers: { ...checksumHeaders(payload), etag: partEtag(stored.etag, attemptTag) } };
}

function noRoomForIndex(): Error {
  return s3Error(
    'InvalidArgument',
    'Part number 10000 of an encrypted upload is kept for its index: use part numbers 1 to 9999, or make the parts larger.',
    { details: { ArgumentName: 'partNumber', ArgumentValue: String(maxPartNumber) } },
  );
}
