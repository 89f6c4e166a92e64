import type { ByteStream } from '../base/byte-stream.ts';
import {
  checkCopySourceRange,
  parseCopySource,
  parseCopySourceRange,
  type CopySourceRange,
} from '../s3/copy-source.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { parsePartNumber } from '../s3/request-documents.ts';
import { renderCopyResult } from '../s3/response-documents.ts';
import type { CopyResult } from '../store/object-store.ts';
import { checkCopiedSize, readCopySource, withCopySource, type CopySource } from './copy-source.ts';
import { storeEncryptedPart, type PartContent } from './encrypted-part.ts';
import { addressOf } from './get-object.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { findUpload, requireOpenUpload, uploadAddress, type OpenUpload } from './multipart-upload.ts';
import { checksumElement, summedPart, withPartMd5, type PartChecksum } from './part-checksum.ts';
import { patiently } from './patience.ts';
import { showsMd5 } from './shown-etag.ts';

/**
 * UploadPartCopy: each part has a key of its own, so its bytes stream through the gateway, decrypted and encrypted again.
 * Only where neither side is encrypted, within one backend, does the backend copy them.
 */
export async function uploadPartCopy(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '');
  const range = parseCopySourceRange(request.headers['x-amz-copy-source-range']);
  parseCopySource(request.headers['x-amz-copy-source'] ?? '');
  const upload = await openUpload(request);
  const copying = withCopySource(request, gateway, async (source) => {
    const sizeBytes = range === undefined ? source.sizeBytes : range.last - range.first + 1;
    if (range !== undefined) checkCopySourceRange(range, source.sizeBytes);
    checkCopiedSize(sizeBytes);
    return rendered(source, await copyPart(source, request, gateway, { upload, partNumber, range, sizeBytes }));
  });
  return await patiently(request, copying);
}

/** Before anything is read. Undefined for an upload that is not encrypted, of which nothing has to be known. */
async function openUpload(request: ObjectRequest): Promise<OpenUpload | undefined> {
  if (request.policy.encryption.mode === 'required') return await findUpload(request);
  await requireOpenUpload(request);
  return undefined;
}

interface PartCopy {
  readonly upload: OpenUpload | undefined;
  readonly partNumber: number;
  readonly range: CopySourceRange | undefined;
  readonly sizeBytes: number;
}

async function copyPart(
  source: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  part: PartCopy,
): Promise<CopiedPart> {
  const { upload, partNumber, range, sizeBytes } = part;
  const { backend, signal } = request;
  const address = { ...uploadAddress(request), partNumber };
  if (upload === undefined && source.opened === undefined && source.request.backend.name === backend.name) {
    const sourceConditions = { ifMatch: source.head.etag };
    const copied = { ...address, source: addressOf(source.request), sourceConditions };
    return await backend.store.copyPart(range === undefined ? copied : { ...copied, range }, { signal });
  }
  const summed = contentOf(await readCopySource(source, gateway, range), upload);
  const content = showsMd5(request) ? withPartMd5(summed) : summed;
  const storing =
    upload === undefined
      ? backend.store.uploadPart({ ...address, body: content.plaintext, lengthBytes: sizeBytes }, { signal })
      : storeEncryptedPart(request, gateway, upload, { partNumber, ...content, plaintextBytes: sizeBytes });
  // What failed before it read anything leaves a connection to the source.
  const { etag } = await storing.catch(async (error: unknown) => {
    await content.plaintext[Symbol.asyncIterator]().return?.();
    throw error;
  });
  return { etag, headers: {}, lastModified: new Date().toISOString(), checksum: content.checksum() };
}

/** With the checksum that the upload was created for, which S3 computes of parts that are copied. */
function contentOf(plaintext: ByteStream, upload: OpenUpload | undefined): Pick<PartContent, 'plaintext' | 'checksum'> {
  if (upload?.checksum === undefined) return { plaintext, checksum: () => undefined };
  return summedPart(plaintext, upload.checksum.algorithm);
}

interface CopiedPart extends CopyResult {
  readonly checksum?: PartChecksum | undefined;
}

function rendered({ head }: CopySource, { etag, lastModified, headers, checksum }: CopiedPart): OperationResult {
  const version = head.headers['x-amz-version-id'];
  const checksums = checksum === undefined ? {} : checksumElement(checksum);
  return xmlResult(renderCopyResult('CopyPartResult', { etag, lastModified, checksums }), {
    ...responseObjectHeaders(headers),
    ...(version === undefined ? {} : { 'x-amz-copy-source-version-id': version }),
  });
}
