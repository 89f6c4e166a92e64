import { concatenate } from '../base/streams.ts';
import { EnvelopeError } from '../envelope/envelope-error.ts';
import { buildIndexRegion, type IndexPart, type ObjectIndex } from '../envelope/object-index.ts';
import { partPlaintextSize } from '../envelope/object-writer.ts';
import type { Envelope } from '../envelope/envelope.ts';
import { requestConditions } from '../s3/conditions.ts';
import { clientEtag, mapConditions, parsePartEtag } from '../s3/etag.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { maxDocumentBytes, parseCompleteRequest, type RequestedPart } from '../s3/request-documents.ts';
import { renderCompleteUpload } from '../s3/response-documents.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import { uriEncode } from '../s3/uri-encoding.ts';
import type { CompletedPart, ListedPart, WriteResult } from '../store/object-store.ts';
import type { StagedPart } from '../uploads/upload-ledger.ts';
import { completedBefore } from './completed-before.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { allBackendParts, minPartBytes, uploadAddress } from './multipart-upload.ts';
import { unwrapSecrets } from './object-decryption.ts';
import { checkSize } from './put-object.ts';
import { decodeEnvelope } from '../envelope/envelope.ts';

const maxPartNumber = 10_000;

/** A part that the client names, found among what it sent. */
interface ChosenPart {
  readonly partNumber: number;
  readonly plaintextBytes: number;
  readonly attemptTag: Uint8Array;
  readonly etag: string;
  readonly staged?: StagedPart;
}

/**
 * CompleteMultipartUpload: builds the index from the parts that the client names and lets the backend put all together.
 * The index goes behind the last part: into it where that part is staged, else as one more part.
 */
export async function completeMultipartUpload(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const parts = parseCompleteRequest(await request.document(maxDocumentBytes.CompleteMultipartUpload));
  checkOrder(parts);
  if (request.policy.encryption.mode === 'off') {
    return rendered(request, await completeAs(request, parts, false), (etag) => etag);
  }
  const { backend, signal } = request;
  const record = await backend.ledger.find(uploadAddress(request), { signal });
  const written =
    record === undefined
      ? await completedBefore(request, gateway, parts)
      : await completeEncrypted(request, gateway, parts, decodeEnvelope(record.envelope));
  return rendered(request, written, clientEtag);
}

async function completeEncrypted(
  request: ObjectRequest,
  gateway: Gateway,
  parts: readonly RequestedPart[],
  envelope: Envelope,
): Promise<WriteResult> {
  const { backend, signal } = request;
  const address = uploadAddress(request);
  try {
    const [stored, staged] = await Promise.all([
      allBackendParts(request),
      backend.ledger.stagedParts(address, { signal }),
    ]);
    const chosen = parts.map((part) => choose(part, stored, staged, envelope.segmentSizeBytes));
    checkSizes(chosen, request.policy.limits.maxObjectBytes);
    const indexed = await uploadIndex(request, gateway, envelope, chosen);
    const written = await completeAs(request, indexed, true);
    await cleanUp(request, gateway);
    return written;
  } catch (error) {
    // The backend has no such upload though we have its record: it was completed, and we stopped before cleaning up.
    if (!(error instanceof S3Error) || error.code !== 'NoSuchUpload') throw error;
    const written = await completedBefore(request, gateway, parts);
    await cleanUp(request, gateway);
    return written;
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
  const { backendEtag, attemptTag } = parsePartEtag(part.etag);
  const waiting = staged.find(
    (candidate) =>
      candidate.partNumber === partNumber &&
      candidate.etag === backendEtag &&
      (attemptTag === undefined || attemptTag === candidate.attemptTag),
  );
  if (waiting !== undefined) {
    const { plaintextBytes, etag } = waiting;
    return { partNumber, plaintextBytes, etag, attemptTag: Buffer.from(waiting.attemptTag, 'hex'), staged: waiting };
  }
  const found = stored.find((candidate) => candidate.partNumber === partNumber && candidate.etag === backendEtag);
  if (found === undefined) throw s3Error('InvalidPart', undefined, { details: { PartNumber: String(partNumber) } });
  const plaintextBytes = partPlaintextSize(found.sizeBytes, segmentSizeBytes);
  if (plaintextBytes === undefined) throw new EnvelopeError('size_mismatch', 'no part has this stored size');
  // Eight zero bytes: a client that sends bare ETags does not say which attempt it means.
  const tag = attemptTag === undefined ? new Uint8Array(8) : Buffer.from(attemptTag, 'hex');
  return { partNumber, plaintextBytes, etag: backendEtag, attemptTag: tag };
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

/** Stores the index, and gives the parts as the backend has to put them together. */
async function uploadIndex(
  request: ObjectRequest,
  gateway: Gateway,
  envelope: Envelope,
  parts: readonly ChosenPart[],
): Promise<readonly CompletedPart[]> {
  using secrets = await unwrapSecrets(gateway, request, envelope);
  const index: ObjectIndex = {
    totalPlaintextBytes: totalBytes(parts),
    parts: parts.map(({ partNumber, plaintextBytes, attemptTag }): IndexPart => ({
      partNumber,
      plaintextBytes,
      attemptTag,
    })),
    checksums: [],
  };
  const region = buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes: envelope.segmentSizeBytes });
  const { backend, signal } = request;
  const address = uploadAddress(request);
  const last = parts.at(-1);
  if (last === undefined) throw s3Error('MalformedXML');
  const before = parts.filter(({ staged }) => staged === undefined);
  const partNumber = last.staged === undefined ? last.partNumber + 1 : last.partNumber;
  if (partNumber > maxPartNumber) throw s3Error('InvalidArgument', 'Part number 10000 is kept for the index.');
  const body =
    last.staged === undefined
      ? region.stream()
      : concatenate(await backend.ledger.readStagedPart(address, last.staged, { signal }), region.stream());
  const lengthBytes = region.lengthBytes + (last.staged?.sizeBytes ?? 0);
  const { etag } = await backend.store.uploadPart({ ...address, partNumber, body, lengthBytes }, { signal });
  return [...before, { partNumber, etag }];
}

function rendered(request: ObjectRequest, written: WriteResult, mapEtag: (etag: string) => string): OperationResult {
  const { bucket, key, origin } = request;
  const location = `${origin}/${bucket}/${uriEncode(key, false)}`;
  return xmlResult(
    renderCompleteUpload({ location, bucket, key, etag: mapEtag(written.etag) }),
    responseObjectHeaders(written.headers),
  );
}
