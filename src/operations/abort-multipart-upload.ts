import { S3Error } from '../s3/s3-error.ts';
import type { ObjectRequest, OperationResult } from './gateway.ts';
import { requireOpenUpload, uploadAddress } from './multipart-upload.ts';

/**
 * AbortMultipartUpload: the backend's parts first, then what the ledger holds. Where the backend knows no such upload,
 * the ledger may still have what a gateway that died between the two steps left.
 * Some backends (MinIO) answer 204 to the abort of no upload: what the ledger does not know is asked for first.
 */
export async function abortMultipartUpload(request: ObjectRequest): Promise<OperationResult> {
  const { backend, signal } = request;
  const address = uploadAddress(request);
  const encrypts = request.policy.encryption.mode === 'required';
  if (encrypts && (await backend.ledger.find(address, { signal })) === undefined) await requireOpenUpload(request);
  try {
    await backend.store.abortUpload(address, { signal });
  } catch (error) {
    const isUnknown = error instanceof S3Error && error.code === 'NoSuchUpload';
    const isLeft = isUnknown && encrypts && (await backend.ledger.find(address, { signal })) !== undefined;
    if (isLeft) await backend.ledger.remove(address);
    throw error;
  }
  if (encrypts) await backend.ledger.remove(address);
  return { status: 204, headers: {} };
}
