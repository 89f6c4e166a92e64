import { parseRange, resolveRange } from '../s3/range.ts';
import { addressOf, answer, objectConditions, rangeHolds, wantsChecksums } from './get-object.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { objectChecksums } from './object-checksums.ts';
import { openObject } from './object-decryption.ts';
import { objectEtag } from './shown-etag.ts';

/** HeadObject: one backend request, two where checksums or an ETag are asked for that only the index has; the envelope is authenticated. */
export async function headObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const head = await request.backend.store.headObject(
    { ...addressOf(request), conditions: objectConditions(request) },
    { signal: request.signal },
  );
  const opened = await openObject(gateway, request, head);
  using _secrets = opened?.secrets;
  const sizeBytes = opened?.plaintextBytes ?? head.sizeBytes;
  const range = rangeHolds(request, head) ? parseRange(request.headers['range']) : undefined;
  const resolved = range === undefined ? undefined : resolveRange(range, sizeBytes);
  const asksForChecksums = range === undefined && opened !== undefined && wantsChecksums(request);
  const checksums = asksForChecksums ? await objectChecksums(request, gateway, { opened, head }) : undefined;
  const etag = await objectEtag(request, gateway, opened, head);
  return answer(request, head, { etag, sizeBytes, range: resolved, checksums });
}
