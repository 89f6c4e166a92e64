import { parsePartEtag } from '../s3/etag.ts';
import type { RequestedPart } from '../s3/request-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { WriteResult } from '../store/object-store.ts';
import { isAssembledFrom } from './assembled-etag.ts';
import type { ObjectChecksums } from './checksums.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import { tagHex } from './multipart-upload.ts';
import { openObject } from './object-decryption.ts';
import { readIndex } from './object-reading.ts';

/**
 * Completing twice gives the same answer, with nothing remembered: where the upload is gone, the object at the key is
 * looked at. Its sealed part table holds the very attempts that the client names only if this upload made it; where the
 * client names parts by the backend's ETags alone, as another replica lists them, the backend's ETag of the object tells.
 * @throws S3Error NoSuchUpload
 */
export async function completedBefore(
  request: ObjectRequest,
  gateway: Gateway,
  parts: readonly RequestedPart[],
): Promise<WriteResult & ObjectChecksums> {
  const { bucket, key, signal } = request;
  try {
    const head = await request.backend.store.headObject({ bucket, key }, { signal });
    const opened = await openObject(gateway, request, head);
    if (opened?.envelope.layout !== 'multipart') throw s3Error('NoSuchUpload');
    using secrets = opened.secrets;
    const index = await readIndex(request, { ...opened, secrets }, head);
    const { segmentSizeBytes } = opened.envelope;
    const same =
      index.parts.length === parts.length &&
      index.parts.every((part, position) => mayBeSamePart(part, parts[position])) &&
      (parts.every(namesAttempt) || (await isAssembledFrom(request, { head, index, segmentSizeBytes }, parts)));
    if (!same) throw s3Error('NoSuchUpload');
    return { etag: head.etag, headers: {}, checksums: index.checksums, partCount: parts.length };
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) throw s3Error('NoSuchUpload', undefined, { cause: error });
    throw error;
  }
}

function namesAttempt({ etag }: RequestedPart): boolean {
  return parsePartEtag(etag).attemptTag !== undefined;
}

/** Certain where the client names the attempt. */
function mayBeSamePart(
  part: { readonly partNumber: number; readonly attemptTag: Uint8Array },
  requested: RequestedPart | undefined,
): boolean {
  if (requested?.partNumber !== part.partNumber) return false;
  return !namesAttempt(requested) || parsePartEtag(requested.etag).attemptTag === tagHex(part.attemptTag);
}
