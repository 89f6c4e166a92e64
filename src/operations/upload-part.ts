import { holdBackLast } from '../base/streams.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import type { DecodedPayload } from '../s3/payload.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { checksumHeaders } from './checksums.ts';
import { storeEncryptedPart, type PartContent } from './encrypted-part.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { findUpload, uploadAddress, type OpenUpload } from './multipart-upload.ts';
import { checksumHeader, summedPart, withPartMd5, type PartChecksum } from './part-checksum.ts';
import { checkSize, maxPutBytes } from './put-object.ts';
import { showsMd5 } from './shown-etag.ts';
import { checksumMismatch } from './upload-checksum.ts';

/** UploadPart. */
export async function uploadPart(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const payload = request.payload();
  checkSize(payload.plaintextBytes, maxPutBytes);
  if (request.policy.encryption.mode === 'off') return forwardPart(request, payload, partNumber);
  const upload = await findUpload(request);
  const summed = withPartChecksum(payload, upload);
  const content = showsMd5(request) ? withMd5(payload, summed) : summed;
  const { etag } = await storeEncryptedPart(request, gateway, upload, { partNumber, ...content });
  const checksum = content.checksum();
  return {
    status: 200,
    headers: { ...checksumHeaders(payload), ...(checksum === undefined ? {} : checksumHeader(checksum)), etag },
  };
}

/**
 * A part's content with the checksum that the upload was created for: the one that the client gave, which is verified
 * anyway; else, where S3 computes it, computed here.
 * @throws S3Error InvalidRequest where the part comes with another checksum, or without one of a composite.
 */
function withPartChecksum(payload: DecodedPayload, { checksum }: OpenUpload): Omit<PartContent, 'partNumber'> {
  const { plaintext, plaintextBytes } = payload;
  if (checksum === undefined) return { plaintext, plaintextBytes, checksum: () => undefined };
  const { algorithm, type } = checksum;
  const announced = payload.announcedChecksum();
  if (announced === algorithm) {
    const verified = (): PartChecksum | undefined => payload.checksums().find((given) => given.algorithm === algorithm);
    return { plaintext, plaintextBytes, checksum: verified };
  }
  if (announced !== undefined || type === 'COMPOSITE') throw checksumMismatch(algorithm, announced);
  return { plaintextBytes, ...summedPart(plaintext, algorithm) };
}

/** With the MD5: the one that the client gave, which is verified anyway, else computed here. */
function withMd5(payload: DecodedPayload, content: Omit<PartContent, 'partNumber'>): Omit<PartContent, 'partNumber'> {
  return payload.declaredMd5() === undefined ? withPartMd5(content) : { ...content, md5: () => payload.md5() };
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
