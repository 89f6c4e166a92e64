import { createHash } from 'node:crypto';

import { ObjectLayout } from '../envelope/layout.ts';
import type { ObjectIndex } from '../envelope/object-index.ts';
import { parsePartEtag } from '../s3/etag.ts';
import type { RequestedPart } from '../s3/request-documents.ts';
import type { ObjectHead } from '../store/object-store.ts';
import type { ObjectRequest } from './gateway.ts';
import { minPartBytes } from './multipart-upload.ts';
import { getExactly } from './object-reading.ts';

/** Longest end that is read: a part that had waited beside the upload, and the index. */
const maxEndBytes = 2 * minPartBytes;

/** A stored multipart object. */
interface Assembled {
  readonly head: ObjectHead;
  readonly index: ObjectIndex;
  readonly segmentSizeBytes: number;
}

/**
 * Whether the backend put an object together from the parts that a client names by the backend's own ETags. On S3 the ETag
 * is the MD5 of the parts' MD5s with their number. The last part is the gateway's, with the index in it: its MD5 is
 * computed from what is stored. False where the backend makes its ETags in another way.
 */
export async function isAssembledFrom(
  request: ObjectRequest,
  { head, index, segmentSizeBytes }: Assembled,
  parts: readonly RequestedPart[],
): Promise<boolean> {
  const [, hex, count] = /^"([0-9a-f]{32})-(\d+)"$/.exec(head.etag) ?? [];
  const { parts: stored, messagesBytes } = ObjectLayout.multipart(index, segmentSizeBytes);
  const hasOwnPart = Number(count) === parts.length + 1;
  if (!hasOwnPart && Number(count) !== parts.length) return false;
  const first = hasOwnPart ? messagesBytes : stored.at(-1)?.storedOffset;
  if (first === undefined || head.sizeBytes - first > maxEndBytes) return false;
  const named = (hasOwnPart ? parts : parts.slice(0, -1)).map(({ etag }) => md5Of(etag));
  // Where the last part had waited, only its attempt tag tells what it is; the index holds that.
  if (!hasOwnPart && parsePartEtag(parts.at(-1)?.etag ?? '').attemptTag === undefined) return false;
  const whole = createHash('md5');
  for (const md5 of named) {
    if (md5 === undefined) return false;
    whole.update(md5);
  }
  return whole.update(await storedMd5(request, head, first)).digest('hex') === hex;
}

function md5Of(etag: string): Uint8Array | undefined {
  const [, hex] = /^"([0-9a-f]{32})"$/.exec(parsePartEtag(etag).backendEtag) ?? [];
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}

async function storedMd5(request: ObjectRequest, head: ObjectHead, first: number): Promise<Uint8Array> {
  const { body } = await getExactly(request, head, { first, last: head.sizeBytes - 1 });
  const md5 = createHash('md5');
  for await (const chunk of body) md5.update(chunk);
  return md5.digest();
}
