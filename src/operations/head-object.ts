import { parseRange, resolveRange } from '../s3/range.ts';
import { addressOf, answer, objectConditions } from './get-object.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { openObject } from './object-decryption.ts';

/** HeadObject: one backend request; the envelope is authenticated as for a read. */
export async function headObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const head = await request.backend.store.headObject(
    { ...addressOf(request), conditions: objectConditions(request) },
    { signal: request.signal },
  );
  const opened = await openObject(gateway, request, head);
  opened?.secrets.dispose();
  const sizeBytes = opened?.plaintextBytes ?? head.sizeBytes;
  const range = parseRange(request.headers['range']);
  const resolved = range === undefined ? undefined : resolveRange(range, sizeBytes);
  return answer(request, head, { sizeBytes, range: resolved, opened });
}
