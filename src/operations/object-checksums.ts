import type { ObjectHead } from '../store/object-store.ts';
import type { ObjectChecksums } from './checksums.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import type { OpenedObject } from './object-decryption.ts';
import { indexedLayout } from './object-reading.ts';

/**
 * Every checksum that is sealed with an object. Those known before the upload are in the envelope; those that came after
 * the content, and those of multipart objects, are in the index, which takes a backend request the first time.
 */
export async function objectChecksums(
  request: ObjectRequest,
  gateway: Gateway,
  opened: OpenedObject,
  head: ObjectHead,
): Promise<ObjectChecksums> {
  const { checksums } = opened.metadata;
  if (checksums.length > 0) return { checksums, partCount: 1 };
  const known = await indexedLayout({ request, gateway, opened, stored: head });
  return { checksums: known.checksums, partCount: known.layout.parts.length };
}
