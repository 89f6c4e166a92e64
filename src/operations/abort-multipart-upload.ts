import type { ObjectRequest, OperationResult } from './gateway.ts';
import { uploadAddress } from './multipart-upload.ts';

/** AbortMultipartUpload: the backend's parts first, then what the ledger holds. */
export async function abortMultipartUpload(request: ObjectRequest): Promise<OperationResult> {
  const { backend, signal } = request;
  const address = uploadAddress(request);
  await backend.store.abortUpload(address, { signal });
  if (request.policy.encryption.mode === 'required') await backend.ledger.remove(address, { signal });
  return { status: 204, headers: {} };
}
