import { checkCopySourceRange, parseCopySourceRange, type CopySourceRange } from '../s3/copy-source.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { renderCopyResult } from '../s3/response-documents.ts';
import type { CopyResult } from '../store/object-store.ts';
import { checkCopiedSize, readCopySource, withCopySource, type CopySource } from './copy-source.ts';
import { storeEncryptedPart } from './encrypted-part.ts';
import { addressOf } from './get-object.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { requireOpenUpload, uploadAddress, uploadEnvelope } from './multipart-upload.ts';
import { patiently } from './patience.ts';

/**
 * UploadPartCopy: each part has a key of its own, so its bytes stream through the gateway, decrypted and encrypted again.
 * Only where neither side is encrypted, within one backend, does the backend copy them.
 */
export async function uploadPartCopy(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const range = parseCopySourceRange(request.headers['x-amz-copy-source-range']);
  await requireUpload(request);
  const copying = withCopySource(request, gateway, async (source) => {
    const sizeBytes = range === undefined ? source.sizeBytes : range.last - range.first + 1;
    if (range !== undefined) checkCopySourceRange(range, source.sizeBytes);
    checkCopiedSize(sizeBytes);
    return rendered(source, await copyPart(source, request, gateway, { partNumber, range, sizeBytes }));
  });
  return await patiently(request, copying);
}

/** Before anything is read: a part for an upload that is over would be encrypted for nothing. */
async function requireUpload(request: ObjectRequest): Promise<void> {
  if (request.policy.encryption.mode === 'off') await requireOpenUpload(request);
  else await uploadEnvelope(request);
}

interface CopiedPart {
  readonly partNumber: number;
  readonly range: CopySourceRange | undefined;
  readonly sizeBytes: number;
}

async function copyPart(
  source: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  part: CopiedPart,
): Promise<CopyResult> {
  const { partNumber, range, sizeBytes } = part;
  const { backend, signal } = request;
  const isPlain = request.policy.encryption.mode === 'off';
  const address = { ...uploadAddress(request), partNumber };
  if (isPlain && source.opened === undefined && source.request.backend === backend) {
    const sourceConditions = { ifMatch: source.head.etag };
    const copied = { ...address, source: addressOf(source.request), sourceConditions };
    return await backend.store.copyPart(range === undefined ? copied : { ...copied, range }, { signal });
  }
  const plaintext = await readCopySource(source, gateway, range);
  const storing = isPlain
    ? backend.store.uploadPart({ ...address, body: plaintext, lengthBytes: sizeBytes }, { signal })
    : storeEncryptedPart(request, gateway, { partNumber, plaintext, plaintextBytes: sizeBytes });
  // What failed before it read anything leaves a connection to the source.
  const { etag } = await storing.catch(async (error: unknown) => {
    await plaintext[Symbol.asyncIterator]().return?.();
    throw error;
  });
  return { etag, headers: {}, lastModified: new Date().toISOString() };
}

function rendered({ head }: CopySource, { etag, lastModified, headers }: CopyResult): OperationResult {
  const version = head.headers['x-amz-version-id'];
  return xmlResult(renderCopyResult('CopyPartResult', { etag, lastModified }), {
    ...responseObjectHeaders(headers),
    ...(version === undefined ? {} : { 'x-amz-copy-source-version-id': version }),
  });
}
