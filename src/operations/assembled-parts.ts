import { cut } from '../base/cut.ts';
import { concatenate } from '../base/streams.ts';
import type { IndexRegion } from '../envelope/object-index.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { CompletedPart } from '../store/object-store.ts';
import type { StagedPart } from '../uploads/upload-ledger.ts';
import type { ObjectRequest } from './gateway.ts';
import { uploadAddress } from './multipart-upload.ts';

const maxPartNumber = 10_000;

/** A part that the object is put together from. */
export interface AssembledPart {
  readonly partNumber: number;
  readonly etag: string;
  /** Stored length. */
  readonly storedBytes: number;
  /** Where it waits beside the upload. */
  readonly staged?: StagedPart;
}

/**
 * Brings what is missing into the upload: parts that waited, and the index as the end of the last part where that waited,
 * else as one more part.
 * @returns the parts as the backend has to put them together.
 */
export async function assembleParts(
  request: ObjectRequest,
  parts: readonly AssembledPart[],
  region: IndexRegion,
): Promise<readonly CompletedPart[]> {
  const last = parts.at(-1);
  if (last === undefined) throw s3Error('MalformedXML');
  const before = last.staged === undefined ? parts : parts.slice(0, -1);
  const completed: CompletedPart[] = [];
  for (const part of before) completed.push(await inUpload(request, part));
  return [...completed, ...(await storeEnd(request, parts, last, region))];
}

async function inUpload(request: ObjectRequest, { partNumber, etag, staged }: AssembledPart): Promise<CompletedPart> {
  if (staged === undefined) return { partNumber, etag };
  const { backend, signal } = request;
  const address = uploadAddress(request);
  const body = await backend.ledger.readStagedPart(address, staged, { signal });
  const stored = await backend.store.uploadPart(
    { ...address, partNumber, body, lengthBytes: staged.sizeBytes },
    { signal },
  );
  return { partNumber, etag: stored.etag };
}

async function storeEnd(
  request: ObjectRequest,
  parts: readonly AssembledPart[],
  last: AssembledPart,
  region: IndexRegion,
): Promise<readonly CompletedPart[]> {
  const { backend, signal } = request;
  const address = uploadAddress(request);
  const lengthBytes = region.lengthBytes + (last.staged?.sizeBytes ?? 0);
  const pieces = pieceSizes(request, parts, lengthBytes);
  const first = last.staged === undefined ? last.partNumber + 1 : last.partNumber;
  if (first + pieces.length - 1 > maxPartNumber) {
    throw s3Error('InvalidArgument', 'Part number 10000 is kept for the index.');
  }
  let rest =
    last.staged === undefined
      ? region.stream()
      : concatenate(await backend.ledger.readStagedPart(address, last.staged, { signal }), region.stream());
  const completed: CompletedPart[] = [];
  for (const [index, pieceBytes] of pieces.entries()) {
    const partNumber = first + index;
    const [body, after] = index === pieces.length - 1 ? [rest, rest] : cut(rest, pieceBytes);
    const part = { ...address, partNumber, body, lengthBytes: pieceBytes };
    const stored = await backend.store.uploadPart(part, { signal }).catch(async (error: unknown) => {
      await after[Symbol.asyncIterator]().return?.();
      throw error;
    });
    completed.push({ partNumber, etag: stored.etag });
    rest = after;
  }
  return completed;
}

/** Where parts must have one size the last must not be larger: what is too long becomes two. */
function pieceSizes(
  { backend }: ObjectRequest,
  parts: readonly AssembledPart[],
  lengthBytes: number,
): readonly number[] {
  const [first] = parts;
  const largest = backend.quirks.equalPartSizes && parts.length > 1 ? first?.storedBytes : undefined;
  return largest === undefined || lengthBytes <= largest ? [lengthBytes] : [largest, lengthBytes - largest];
}
