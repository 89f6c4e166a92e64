import { ObjectSecrets } from '../envelope/object-secrets.ts';
import { envelopeHeader } from '../envelope/envelope.ts';
import {
  maxMetadataBytes,
  maxUserMetadataBytes,
  requestObjectHeaders,
  responseObjectHeaders,
} from '../s3/object-headers.ts';
import { renderInitiateUpload } from '../s3/response-documents.ts';
import type { UploadChecksum } from '../uploads/upload-ledger.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { encryptedHeaders } from './object-encryption.ts';
import { requestedUploadChecksum } from './upload-checksum.ts';

/**
 * CreateMultipartUpload: makes the object's keys, gives the envelope to the backend as the object's metadata and keeps
 * a copy in the ledger for the parts.
 */
export async function createMultipartUpload(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const { bucket, key, backend, signal } = request;
  const encrypts = request.policy.encryption.mode === 'required';
  const headers = requestObjectHeaders(request.headers, encrypts ? maxUserMetadataBytes : maxMetadataBytes);
  const stored = encrypts ? await withEnvelope(request, gateway, headers) : headers;
  const checksum = requestedUploadChecksum(request.headers);
  const created = await backend.store.createUpload({ bucket, key, headers: stored }, { signal });
  const { uploadId } = created;
  const envelope = encrypts ? stored[envelopeHeader] : undefined;
  if (envelope !== undefined) {
    try {
      const record = checksum === undefined ? { envelope } : { envelope, checksum };
      await backend.ledger.record({ bucket, key, uploadId }, record, { signal });
    } catch (error) {
      // Without its record the upload is of no use; the failure that matters is the first one.
      await backend.store.abortUpload({ bucket, key, uploadId }).catch(() => undefined);
      throw error;
    }
  }
  return xmlResult(renderInitiateUpload({ bucket, key, uploadId }), {
    ...responseObjectHeaders(created.headers),
    // What is not encrypted is stored without checksums, so none is promised.
    ...(encrypts && checksum !== undefined ? checksumAnswer(checksum) : {}),
  });
}

function checksumAnswer({ algorithm, type }: UploadChecksum): Readonly<Record<string, string>> {
  return { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type };
}

async function withEnvelope(
  request: ObjectRequest,
  gateway: Gateway,
  headers: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  using secrets = ObjectSecrets.generate();
  const { suite, segmentSizeBytes } = request.policy.encryption;
  return await encryptedHeaders(gateway, request, {
    secrets,
    headers,
    plaintextBytes: 0,
    payload: { suite, segmentSizeBytes, layout: 'multipart' },
    metadata: { checksums: [] },
  });
}
