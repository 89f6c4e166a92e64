import { s3Error } from '../../s3/s3-error.ts';
import type {
  CallOptions,
  CompletedPart,
  CompleteUploadRequest,
  CreateUploadRequest,
  Headers,
  ListPartsResult,
  UploadAddress,
  UploadPartRequest,
  WriteResult,
} from '../object-store.ts';
import { checkLength, isoTime, keyBytes, newEtag, newUploadId, pageSize } from './names.ts';
import type { ObjectRow } from './object-index.ts';
import { checkConditions, commitFile, type StoreParts } from './store-parts.ts';
import { storedHeaders } from './stored-headers.ts';
import type { PartRow } from './upload-index.ts';

/** S3's limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const maxParts = 10_000;
const minPartBytes = 5 * 1024 * 1024;

/** Multipart uploads. Completing one joins its files by reference: no byte is copied. */
export class UploadOperations {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  create({ bucket, key, headers }: CreateUploadRequest): { readonly uploadId: string; readonly headers: Headers } {
    const { database, buckets, uploads } = this.#parts;
    const stored = JSON.stringify(storedHeaders(headers));
    const uploadId = newUploadId(Date.now());
    database.transaction(() => uploads.insert(uploadId, buckets.require(bucket).id, keyBytes(key), stored));
    return { uploadId, headers: {} };
  }

  async uploadPart(request: UploadPartRequest, { signal }: CallOptions): Promise<WriteResult> {
    const { database, uploads, dataFiles } = this.#parts;
    const { partNumber: number, uploadId, body, lengthBytes } = request;
    checkPartNumber(number);
    checkLength(lengthBytes);
    database.read(() => this.#require(request));
    const file = await dataFiles.write({ body, lengthBytes, signal });
    const etag = newEtag();
    await commitFile(this.#parts, file, () => {
      this.#require(request);
      uploads.putPart(uploadId, { number, etag, sizeBytes: lengthBytes, file });
    });
    await dataFiles.sweep();
    return { etag, headers: { etag } };
  }

  async complete(request: CompleteUploadRequest): Promise<WriteResult> {
    const { database, buckets, objects, uploads, dataFiles } = this.#parts;
    const { bucket, uploadId, parts: asked, conditions } = request;
    const key = keyBytes(request.key);
    if (asked.length === 0 || asked.length > maxParts) throw s3Error('MalformedXML');
    const etag = newEtag(asked.length);
    database.transaction(() => {
      const headers = this.#require(request);
      const chosen = choose(asked, uploads.parts(uploadId, 0, maxParts));
      const bucketId = buckets.require(bucket).id;
      const old = objects.find(bucketId, key);
      checkConditions(conditions, old, { method: 'POST', key: request.key });
      this.#join(chosen, old, { uploadId, bucketId, key, etag, headers });
      uploads.remove(uploadId);
    });
    await dataFiles.sweep();
    return { etag, headers: { etag } };
  }

  async abort(address: UploadAddress): Promise<void> {
    const { database, uploads, dataFiles } = this.#parts;
    database.transaction(() => {
      this.#require(address);
      uploads.remove(address.uploadId);
    });
    await dataFiles.sweep();
  }

  listParts(
    request: UploadAddress & { readonly maxParts?: number; readonly partNumberMarker?: number },
  ): ListPartsResult {
    const limit = pageSize(request.maxParts, 'max-parts');
    const rows = this.#parts.database.read(() => {
      this.#require(request);
      return this.#parts.uploads.parts(request.uploadId, request.partNumberMarker ?? 0, limit + 1);
    });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      parts: page.map((row) => ({
        partNumber: row.number,
        etag: row.etag,
        sizeBytes: row.sizeBytes,
        lastModified: isoTime(row.modifiedMs),
      })),
      isTruncated: last !== undefined && rows.length > limit,
      ...(last === undefined ? {} : { nextPartNumberMarker: last.number }),
      storageClass: 'STANDARD',
    };
  }

  #require(address: UploadAddress): string {
    return this.#parts.uploads.require(this.#parts.buckets.require(address.bucket).id, address);
  }

  #join(
    chosen: readonly PartRow[],
    old: ObjectRow | undefined,
    target: { uploadId: string; bucketId: number; key: Uint8Array; etag: string; headers: string },
  ): void {
    const { objects, uploads } = this.#parts;
    const sizeBytes = chosen.reduce((sum, part) => sum + part.sizeBytes, 0);
    const [only] = chosen;
    const file = chosen.length === 1 ? only?.file : undefined;
    const { uploadId, bucketId, key, etag, headers } = target;
    const objectId = objects.replace(old, { bucketId, key, etag, sizeBytes, headers, file });
    let offsetBytes = 0;
    for (const part of chosen) {
      uploads.takePart(uploadId, part.number);
      if (file === undefined) objects.addExtent(objectId, { file: part.file, offsetBytes, sizeBytes: part.sizeBytes });
      offsetBytes += part.sizeBytes;
    }
  }
}

/**
 * The stored parts that a client named.
 * @throws S3Error InvalidPartOrder, InvalidPart, EntityTooSmall.
 */
function choose(asked: readonly CompletedPart[], stored: readonly PartRow[]): PartRow[] {
  const byNumber = new Map(stored.map((row) => [row.number, row]));
  const chosen: PartRow[] = [];
  for (const { partNumber, etag } of asked) {
    if (partNumber <= (chosen.at(-1)?.number ?? 0)) throw s3Error('InvalidPartOrder');
    const row = byNumber.get(partNumber);
    if (row === undefined || unquoted(row.etag) !== unquoted(etag)) {
      throw s3Error('InvalidPart', undefined, { details: { PartNumber: String(partNumber), ETag: etag } });
    }
    chosen.push(row);
  }
  const small = chosen.slice(0, -1).find((row) => row.sizeBytes < minPartBytes);
  if (small !== undefined) {
    throw s3Error('EntityTooSmall', undefined, {
      details: {
        PartNumber: String(small.number),
        ETag: small.etag,
        ProposedSize: String(small.sizeBytes),
        MinSizeAllowed: String(minPartBytes),
      },
    });
  }
  return chosen;
}

function checkPartNumber(number: number): void {
  if (Number.isInteger(number) && number >= 1 && number <= maxParts) return;
  throw s3Error('InvalidArgument', `Part number must be an integer between 1 and ${maxParts}, inclusive`, {
    details: { ArgumentName: 'partNumber', ArgumentValue: String(number) },
  });
}

function unquoted(etag: string): string {
  return etag.replace(/^"(.*)"$/s, '$1');
}
