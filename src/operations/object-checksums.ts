import type { SealedChecksum } from '../envelope/envelope.ts';
import type { ObjectHead } from '../store/object-store.ts';
import type { ObjectChecksums } from './checksums.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import type { OpenedObject } from './object-decryption.ts';
import { indexedLayout } from './object-reading.ts';

/**
 * Every checksum that is sealed with an object. Those known before the upload are in the envelope; those that came after
 * the content, and those of multipart objects, are in the index, which takes a backend request the first time.
 * @param isEnough whether what the envelope has will do; by default, that it has any.
 */
export async function objectChecksums(
  request: ObjectRequest,
  gateway: Gateway,
  { opened, head }: { readonly opened: OpenedObject; readonly head: ObjectHead },
  isEnough = (checksums: readonly SealedChecksum[]): boolean => checksums.length > 0,
): Promise<ObjectChecksums> {
  const { checksums } = opened.metadata;
  if (isEnough(checksums)) return { checksums, partCount: 1 };
  const known = await indexedLayout({ request, gateway, opened, stored: head });
  return { checksums: known.checksums, partCount: known.layout.parts.length };
}
