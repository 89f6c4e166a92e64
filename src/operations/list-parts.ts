import { partPlaintextSize } from '../envelope/object-writer.ts';
import { partEtag } from '../s3/etag.ts';
import { renderListParts } from '../s3/response-documents.ts';
import type { ListedPart } from '../store/object-store.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { ownerOf } from './list-buckets.ts';
import { allBackendParts, minPartBytes, uploadAddress, uploadEnvelope } from './multipart-upload.ts';
import { boundedNumber } from './query.ts';

const maxPartsLimit = 1000;

/** ListParts: the backend's parts and the staged ones as one list, with plaintext sizes. */
export async function listParts(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const { bucket, key, query } = request;
  const { uploadId } = uploadAddress(request);
  const maxParts = boundedNumber(query, 'max-parts', { min: 0, max: maxPartsLimit }) ?? maxPartsLimit;
  const partNumberMarker = boundedNumber(query, 'part-number-marker', { min: 0, max: 10_000 });
  const all = await partsOf(request, gateway);
  const after = all.filter(({ partNumber }) => partNumber > (partNumberMarker ?? 0));
  const parts = after.slice(0, maxParts);
  const isTruncated = after.length > parts.length;
  const last = parts.at(-1)?.partNumber;
  return xmlResult(
    renderListParts({
      bucket,
      key,
      uploadId,
      maxParts,
      owner: ownerOf(request),
      ...(partNumberMarker === undefined ? {} : { partNumberMarker }),
      page: { parts, isTruncated, ...(isTruncated && last !== undefined ? { nextPartNumberMarker: last } : {}) },
    }),
  );
}

async function partsOf(request: ObjectRequest, gateway: Gateway): Promise<readonly ListedPart[]> {
  if (request.policy.encryption.mode === 'off') return allBackendParts(request);
  const address = uploadAddress(request);
  const envelope = await uploadEnvelope(request);
  const [stored, staged] = await Promise.all([
    allBackendParts(request),
    request.backend.ledger.stagedParts(address, { signal: request.signal }),
  ]);
  const shown = [
    ...stored.flatMap((part) => {
      const identity = { uploadId: address.uploadId, partNumber: part.partNumber, backendEtag: part.etag };
      const tag = gateway.partTags.find(identity);
      const sizeBytes = partPlaintextSize(part.sizeBytes, envelope.segmentSizeBytes);
      // Left by a Complete that failed: the index, alone or behind a staged part. A client's shorter parts are staged.
      if (sizeBytes === undefined || sizeBytes < minPartBytes) return [];
      return [{ ...part, etag: tag === undefined ? part.etag : partEtag(part.etag, tag), sizeBytes }];
    }),
    ...staged.map(({ partNumber, etag, attemptTag, plaintextBytes, lastModified }) => ({
      partNumber,
      etag: partEtag(etag, attemptTag),
      sizeBytes: plaintextBytes,
      lastModified,
    })),
  ];
  return latestAttempts(shown);
}

/** One entry a part number: the attempt that came last. */
function latestAttempts(parts: readonly ListedPart[]): readonly ListedPart[] {
  const latest = new Map<number, ListedPart>();
  for (const part of parts) {
    const known = latest.get(part.partNumber);
    if (known === undefined || Date.parse(part.lastModified) >= Date.parse(known.lastModified)) {
      latest.set(part.partNumber, part);
    }
  }
  return [...latest.values()].toSorted((left, right) => left.partNumber - right.partNumber);
}
