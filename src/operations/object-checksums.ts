import type { SealedChecksum } from '../envelope/envelope.ts';
import type { ObjectHead } from '../store/object-store.ts';
import type { ObjectRequest } from './gateway.ts';
import type { OpenedObject } from './object-decryption.ts';
import { readIndex } from './object-reading.ts';

/**
 * Every checksum that is sealed with an object. Those known before the upload are in the envelope; those that came after
 * the content, and those of multipart objects, are in the index, which takes a backend request.
 */
export async function objectChecksums(
  request: ObjectRequest,
  opened: OpenedObject,
  head: ObjectHead,
): Promise<readonly SealedChecksum[]> {
  const { checksums } = opened.metadata;
  if (checksums.length > 0) return checksums;
  return (await readIndex(request, opened, head)).checksums;
}
