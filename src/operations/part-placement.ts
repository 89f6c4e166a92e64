import { LRUCache } from 'lru-cache';

import { partPlaintextSize } from '../envelope/object-writer.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import { minPartBytes, requireOpenUpload, uploadAddress, type OpenUpload } from './multipart-upload.ts';

const maxUploads = 10_000;

/**
 * Plaintext sizes of the first parts of uploads, from the moment that a part comes: the others come at the same time.
 * Losing an entry costs a request.
 */
export class FirstPartSizes {
  readonly #sizes = new LRUCache<string, number>({ max: maxUploads });

  remember(uploadId: string, plaintextBytes: number): void {
    this.#sizes.set(uploadId, plaintextBytes);
  }

  find(uploadId: string): number | undefined {
    return this.#sizes.get(uploadId);
  }
}

/** What decides where a part goes. */
interface PlacedPart {
  readonly partNumber: number;
  readonly plaintextBytes: number;
}

/**
 * Whether a part waits beside its upload until Complete. A part below S3's minimum does: it can only be the last one, which
 * gets the index. So does, where the backend wants parts of one size, every part of another size than the first.
 * @throws S3Error NoSuchUpload for a part that is to wait: the ledger would take it whether the upload is open or not.
 */
export async function mustWait(
  request: ObjectRequest,
  gateway: Gateway,
  { envelope }: OpenUpload,
  part: PlacedPart,
): Promise<boolean> {
  const waits = part.plaintextBytes < minPartBytes || !(await fits(request, gateway, part, envelope.segmentSizeBytes));
  if (waits) await requireOpenUpload(request);
  return waits;
}

async function fits(
  request: ObjectRequest,
  { firstPartSizes }: Gateway,
  { partNumber, plaintextBytes }: PlacedPart,
  segmentSizeBytes: number,
): Promise<boolean> {
  if (!request.backend.quirks.equalPartSizes) return true;
  const { uploadId } = uploadAddress(request);
  if (partNumber === 1) {
    firstPartSizes.remember(uploadId, plaintextBytes);
    return true;
  }
  const known = firstPartSizes.find(uploadId) ?? (await firstPartSize(request, segmentSizeBytes));
  if (known !== undefined) firstPartSizes.remember(uploadId, known);
  return known === plaintextBytes;
}

/** As the backend has it, where another replica took it. */
async function firstPartSize(request: ObjectRequest, segmentSizeBytes: number): Promise<number | undefined> {
  const page = await request.backend.store.listParts(
    { ...uploadAddress(request), maxParts: 1 },
    { signal: request.signal },
  );
  const [first] = page.parts;
  return first?.partNumber === 1 ? partPlaintextSize(first.sizeBytes, segmentSizeBytes) : undefined;
}
