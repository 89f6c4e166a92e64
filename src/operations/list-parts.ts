import { partPlaintextSize } from '../envelope/object-writer.ts';
import { partEtag } from '../s3/etag.ts';
import { renderListParts } from '../s3/response-documents.ts';
import type { ListedPart } from '../store/object-store.ts';
import type { UploadChecksum } from '../uploads/upload-ledger.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { ownerOf } from './list-buckets.ts';
import { allBackendParts, findUpload, minPartBytes, uploadAddress } from './multipart-upload.ts';
import { checksumElement } from './part-checksum.ts';
import { boundedNumber } from './query.ts';

const maxPartsLimit = 1000;

/** ListParts: the backend's parts and the staged ones as one list, with plaintext sizes. */
export async function listParts(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const { bucket, key, query } = request;
  const { uploadId } = uploadAddress(request);
  const maxParts = boundedNumber(query, 'max-parts', { min: 0, max: maxPartsLimit }) ?? maxPartsLimit;
  const partNumberMarker = boundedNumber(query, 'part-number-marker', { min: 0, max: 10_000 });
  const { parts: all, checksum } = await partsOf(request, gateway);
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
      ...(checksum === undefined ? {} : { checksum }),
      ...(partNumberMarker === undefined ? {} : { partNumberMarker }),
      page: { parts, isTruncated, ...(isTruncated && last !== undefined ? { nextPartNumberMarker: last } : {}) },
    }),
  );
}

/** A part as clients see it. */
interface ShownPart extends ListedPart {
  /** By element name. */
  readonly checksums?: Readonly<Record<string, string>>;
}

interface ShownParts {
  readonly parts: readonly ShownPart[];
  readonly checksum?: UploadChecksum | undefined;
}

async function partsOf(request: ObjectRequest, gateway: Gateway): Promise<ShownParts> {
  if (request.policy.encryption.mode === 'off') return { parts: await allBackendParts(request) };
  const address = uploadAddress(request);
  const { uploadId } = address;
  const { envelope, checksum } = await findUpload(request);
  const [stored, staged] = await Promise.all([
    allBackendParts(request),
    request.backend.ledger.stagedParts(address, { signal: request.signal }),
  ]);
  const shown = [
    ...stored.flatMap((part) => {
      const sizeBytes = partPlaintextSize(part.sizeBytes, envelope.segmentSizeBytes);
      // Left by a Complete that failed: the index, alone or behind a staged part. A client's shorter parts are staged.
      if (sizeBytes === undefined || sizeBytes < minPartBytes) return [];
      return [{ ...part, ...known(gateway, uploadId, part), sizeBytes }];
    }),
    ...staged.map(({ partNumber, etag, attemptTag, plaintextBytes, lastModified }) => ({
      partNumber,
      etag: partEtag(etag, attemptTag),
      ...known(gateway, uploadId, { partNumber, etag }),
      sizeBytes: plaintextBytes,
      lastModified,
    })),
  ];
  return { parts: latestAttempts(shown), checksum };
}

/** What UploadPart answered, where it was this replica that did. */
function known(
  gateway: Gateway,
  uploadId: string,
  { partNumber, etag }: Pick<ListedPart, 'partNumber' | 'etag'>,
): Pick<ShownPart, 'checksums'> & { readonly etag?: string } {
  const answered = gateway.knownParts.find({ uploadId, partNumber, backendEtag: etag });
  if (answered === undefined) return {};
  const { checksum } = answered;
  return { etag: answered.etag, ...(checksum === undefined ? {} : { checksums: checksumElement(checksum) }) };
}

/** One entry a part number: the attempt that came last. */
function latestAttempts(parts: readonly ShownPart[]): readonly ShownPart[] {
  const latest = new Map<number, ShownPart>();
  for (const part of parts) {
    const known = latest.get(part.partNumber);
    if (known === undefined || Date.parse(part.lastModified) >= Date.parse(known.lastModified)) {
      latest.set(part.partNumber, part);
    }
  }
  return [...latest.values()].toSorted((left, right) => left.partNumber - right.partNumber);
}
