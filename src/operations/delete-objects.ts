import { isAllowed } from '../policy/grants.ts';
import { requestDeleteHeaders } from '../s3/object-headers.ts';
import { maxDocumentBytes, parseDeleteRequest, type DeleteRequest } from '../s3/request-documents.ts';
import { renderDeleteResult } from '../s3/response-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { DeletedObject } from '../store/object-store.ts';
import { xmlResult, type BucketRequest, type Gateway, type OperationResult } from './gateway.ts';

/** DeleteObjects: each key is authorised by itself; what is refused is answered beside what was deleted. */
export async function deleteObjects(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  requireDigest(request);
  const { objects, quiet } = parseDeleteRequest(await request.document(maxDocumentBytes.Delete));
  const allowed = objects.filter(({ key }) => mayDelete(request, gateway, key));
  const refused = objects
    .filter(({ key }) => !mayDelete(request, gateway, key))
    .map((object): DeletedObject => ({ ...object, errorCode: 'AccessDenied', errorMessage: 'Access Denied' }));
  const deleted = allowed.length === 0 ? [] : await deleteAllowed(request, allowed);
  return xmlResult(renderDeleteResult([...deleted, ...refused], quiet));
}

function mayDelete(request: BucketRequest, gateway: Gateway, key: string): boolean {
  if (key.startsWith(gateway.reservedPrefix)) return false;
  return isAllowed(request.grants, { action: 'delete', bucket: request.bucket, key });
}

function deleteAllowed(request: BucketRequest, objects: DeleteRequest['objects']): Promise<readonly DeletedObject[]> {
  return request.backend.store.deleteObjects(
    { bucket: request.bucket, objects, headers: requestDeleteHeaders(request.headers) },
    { signal: request.signal },
  );
}

/** S3 wants the list guarded against damage on its way: by Content-MD5 or a checksum, or by the signed body hash. */
function requireDigest({ headers }: BucketRequest): void {
  const guarded = Object.keys(headers).some((name) => name === 'content-md5' || name.startsWith('x-amz-checksum-'));
  const signed = /^[0-9a-f]{64}$/.test(headers['x-amz-content-sha256'] ?? '');
  if (guarded || signed || headers['x-amz-trailer'] !== undefined) return;
  throw s3Error('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
}
