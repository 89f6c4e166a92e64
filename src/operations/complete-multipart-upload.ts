import { EnvelopeError } from '../envelope/envelope-error.ts';
import { buildIndexRegion, type IndexPart, type ObjectIndex } from '../envelope/object-index.ts';
import { partPlaintextSize } from '../envelope/object-writer.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import type { ObjectSecrets } from '../envelope/object-secrets.ts';
import { unwrapSecrets } from '../envelope/wrapped-dek.ts';
import { requestConditions } from '../s3/conditions.ts';
import { mapConditions, parsePartEtag } from '../s3/etag.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { maxDocumentBytes, parseCompleteRequest, type RequestedPart } from '../s3/request-documents.ts';
import { renderCompleteUpload } from '../s3/response-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import { uriEncode } from '../s3/uri-encoding.ts';
import type { CompletedPart, ListedPart, WriteResult } from '../store/object-store.ts';
import type { StagedPart } from '../uploads/upload-ledger.ts';
import { assembleParts, type AssembledPart } from './assembled-parts.ts';
import { checksumElements, withMd5, type ObjectChecksums } from './checksums.ts';
import {
  checkObjectSize,
  checkSingleChecksum,
  completedChecksum,
  compositeMd5,
  type NamedPart,
} from './complete-checksum.ts';
import { completedBefore } from './completed-before.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import {
  allBackendParts,
  minPartBytes,
  openUpload,
  tagHex,
  uploadAddress,
  type OpenUpload,
} from './multipart-upload.ts';
import { readChecksumToken, readMd5Token } from './part-checksum.ts';
import { patiently } from './patience.ts';
import { checkSize } from './put-object.ts';
import { shownEtag } from './shown-etag.ts';

/** A part that the client names, found among what it sent. */
interface ChosenPart extends AssembledPart {
  readonly requested: RequestedPart;
  readonly plaintextBytes: number;
  readonly attemptTag: Uint8Array;
  /** From the client's ETag; not proved yet. */
  readonly checksumToken?: string | undefined;
  /** Likewise. */
  readonly md5Token?: string | undefined;
}

/** What Complete answers of the object. */
interface Completed extends WriteResult, ObjectChecksums {}

/** CompleteMultipartUpload: see `completeParts`; where the backend takes long, the client is kept waiting by S3's way. */
export async function completeMultipartUpload(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const parts = parseCompleteRequest(await request.document(maxDocumentBytes.CompleteMultipartUpload));
  checkSingleChecksum(request.headers);
  return await patiently(request, completeParts(request, gateway, parts));
}

/**
 * Completes an upload: builds the index from the parts that the client names and lets the backend put all together.
 * The index goes behind the last part: into it where that part is staged, else as one more part.
 * @param wholeMd5 That of the whole object, where it is known, to be sealed instead of that of the parts' MD5s.
 */
export async function completeParts(
  request: ObjectRequest,
  gateway: Gateway,
  parts: readonly RequestedPart[],
  wholeMd5?: SealedChecksum,
): Promise<OperationResult> {
  checkOrder(parts);
  if (request.policy.encryption.mode === 'off') {
    const written = await completeAs(request, parts, false);
    return rendered(request, { ...written, checksums: [], partCount: parts.length });
  }
  const { backend, signal } = request;
  const record = await backend.ledger.find(uploadAddress(request), { signal });
  const completed =
    record === undefined
      ? await completedBefore(request, gateway, parts)
      : await completeEncrypted(request, gateway, { parts, wholeMd5 }, openUpload(record));
  return rendered(request, completed);
}

async function completeEncrypted(
  request: ObjectRequest,
  gateway: Gateway,
  { parts, wholeMd5 }: { readonly parts: readonly RequestedPart[]; readonly wholeMd5: SealedChecksum | undefined },
  upload: OpenUpload,
): Promise<Completed> {
  const { backend, signal } = request;
  const address = uploadAddress(request);
  try {
    const [stored, staged] = await Promise.all([
      allBackendParts(request),
      backend.ledger.stagedParts(address, { signal }),
    ]);
    const chosen = parts.map((part) => choose(part, stored, staged, upload.envelope.segmentSizeBytes));
    checkSizes(chosen, request.policy.limits.maxObjectBytes);
    checkObjectSize(request.headers, totalBytes(chosen));
    const { indexed, checksums } = await uploadIndex(request, gateway, upload, { chosen, wholeMd5 });
    const written = await completeAs(request, indexed, true);
    await cleanUp(request, gateway);
    return { ...written, checksums, partCount: parts.length };
  } catch (error) {
    // The backend has no such upload though we have its record: it was completed, and we stopped before cleaning up.
    if (!(error instanceof S3Error) || error.code !== 'NoSuchUpload') throw error;
    const completed = await completedBefore(request, gateway, parts);
    await cleanUp(request, gateway);
    return completed;
  }
}

function completeAs(request: ObjectRequest, parts: readonly CompletedPart[], encrypted: boolean): Promise<WriteResult> {
  const conditions = requestConditions(request.headers);
  return request.backend.store.completeUpload(
    {
      ...uploadAddress(request),
      parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
      conditions: encrypted ? mapConditions(conditions) : conditions,
    },
    { signal: request.signal },
  );
}

/** The object is there: what is left of the upload must not fail the answer. */
async function cleanUp(request: ObjectRequest, gateway: Gateway): Promise<void> {
  try {
    await request.backend.ledger.remove(uploadAddress(request));
  } catch {
    gateway.telemetry.logger.warn('upload not cleaned up', {
      request_id: request.requestId,
      bucket: request.bucket,
      key: request.key,
      upload_id: uploadAddress(request).uploadId,
    });
  }
}

function checkOrder(parts: readonly RequestedPart[]): void {
  if (parts.some((part, index) => index > 0 && part.partNumber <= (parts[index - 1]?.partNumber ?? 0))) {
    throw s3Error('InvalidPartOrder');
  }
}

/** Finds what the client means among the backend's parts and the staged ones; its ETag decides between attempts. */
function choose(
  part: RequestedPart,
  stored: readonly ListedPart[],
  staged: readonly StagedPart[],
  segmentSizeBytes: number,
): ChosenPart {
  const { partNumber } = part;
  const { backendEtag, attemptTag, ...tokens } = parsePartEtag(part.etag);
  const waiting = staged.find(
    (candidate) =>
      candidate.partNumber === partNumber &&
      candidate.etag === backendEtag &&
      (attemptTag === undefined || attemptTag === candidate.attemptTag),
  );
  if (waiting !== undefined) {
    const { plaintextBytes, etag } = waiting;
    // The name of a staged object says its length; whoever can rename it must not make the index wrong.
    if (partPlaintextSize(waiting.sizeBytes, segmentSizeBytes) !== plaintextBytes) throw noSuchSize();
    const tag = Buffer.from(waiting.attemptTag, 'hex');
    const held = { etag, storedBytes: waiting.sizeBytes, staged: waiting };
    return { requested: part, partNumber, plaintextBytes, attemptTag: tag, ...held, ...tokens };
  }
  const found = stored.find((candidate) => candidate.partNumber === partNumber && candidate.etag === backendEtag);
  if (found === undefined) throw invalidPart(partNumber);
  const plaintextBytes = partPlaintextSize(found.sizeBytes, segmentSizeBytes);
  if (plaintextBytes === undefined) throw noSuchSize();
  // Eight zero bytes: a client that sends bare ETags does not say which attempt it means.
  const tag = attemptTag === undefined ? new Uint8Array(8) : Buffer.from(attemptTag, 'hex');
  const held = { etag: backendEtag, storedBytes: found.sizeBytes };
  return { requested: part, partNumber, plaintextBytes, attemptTag: tag, ...held, ...tokens };
}

function noSuchSize(): EnvelopeError {
  return new EnvelopeError('size_mismatch', 'no part has this stored size');
}

function checkSizes(parts: readonly ChosenPart[], maxObjectBytes: number): void {
  const short = parts.slice(0, -1).find(({ plaintextBytes }) => plaintextBytes < minPartBytes);
  if (short !== undefined) {
    throw s3Error('EntityTooSmall', undefined, {
      details: {
        PartNumber: String(short.partNumber),
        ProposedSize: String(short.plaintextBytes),
        MinSizeAllowed: String(minPartBytes),
      },
    });
  }
  checkSize(totalBytes(parts), maxObjectBytes);
}

function totalBytes(parts: readonly { readonly plaintextBytes: number }[]): number {
  return parts.reduce((sum, { plaintextBytes }) => sum + plaintextBytes, 0);
}

/** What an object is put together from. */
interface Content {
  readonly chosen: readonly ChosenPart[];
  readonly wholeMd5: SealedChecksum | undefined;
}

/** Stores the index, and gives the parts as the backend has to put them together. */
async function uploadIndex(
  request: ObjectRequest,
  gateway: Gateway,
  { envelope, checksum }: OpenUpload,
  { chosen: parts, wholeMd5 }: Content,
): Promise<{ readonly indexed: readonly CompletedPart[]; readonly checksums: readonly SealedChecksum[] }> {
  using secrets = await unwrapSecrets(gateway.dataKeys, request, envelope, request.signal);
  const named = parts.map((part) => namedPart(secrets, part));
  const whole = completedChecksum(request.headers, checksum, named);
  const checksums = withMd5(whole === undefined ? [] : [whole], wholeMd5 ?? compositeMd5(named));
  const index: ObjectIndex = {
    totalPlaintextBytes: totalBytes(parts),
    parts: parts.map(({ partNumber, plaintextBytes, attemptTag }): IndexPart => ({
      partNumber,
      plaintextBytes,
      attemptTag,
    })),
    checksums,
  };
  const region = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes: envelope.segmentSizeBytes });
  return { indexed: await assembleParts(request, parts, region), checksums };
}

/** @throws S3Error InvalidPart where an ETag carries a checksum that no gateway has computed. */
function namedPart(secrets: ObjectSecrets, part: ChosenPart): NamedPart {
  const { requested, partNumber, checksumToken, md5Token, plaintextBytes: lengthBytes } = part;
  const attempt = { partNumber, attemptTag: tagHex(part.attemptTag) };
  const proved = <Value>(token: string | undefined, read: (token: string) => Value | undefined): Value | undefined => {
    const value = token === undefined ? undefined : read(token);
    if (token !== undefined && value === undefined) throw invalidPart(partNumber);
    return value;
  };
  return {
    requested,
    lengthBytes,
    checksum: proved(checksumToken, (token) => readChecksumToken(secrets, attempt, token)),
    md5: proved(md5Token, (token) => readMd5Token(secrets, attempt, token)),
  };
}

function invalidPart(partNumber: number): S3Error {
  return s3Error('InvalidPart', undefined, { details: { PartNumber: String(partNumber) } });
}

function rendered(request: ObjectRequest, completed: Completed): OperationResult {
  const { bucket, key, bucketUrl } = request;
  const location = `${bucketUrl}/${uriEncode(key, false)}`;
  const etag = shownEtag(request, completed.etag, completed);
  return xmlResult(
    renderCompleteUpload({ location, bucket, key, etag, checksums: checksumElements(completed) }),
    responseObjectHeaders(completed.headers),
  );
}
