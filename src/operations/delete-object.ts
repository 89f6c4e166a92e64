import { requestDeleteHeaders, responseObjectHeaders } from '../s3/object-headers.ts';
import { addressOf, objectConditions } from './get-object.ts';
import type { ObjectRequest, OperationResult } from './gateway.ts';

/** DeleteObject: one backend request; conditions are the backend's to evaluate. */
export async function deleteObject(request: ObjectRequest): Promise<OperationResult> {
  const deleted = await request.backend.store.deleteObject(
    {
      ...addressOf(request),
      headers: requestDeleteHeaders(request.headers),
      conditions: objectConditions(request),
    },
    { signal: request.signal },
  );
  return { status: 204, headers: responseObjectHeaders(deleted.headers) };
}
