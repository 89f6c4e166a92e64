import type { FileHandle } from 'node:fs/promises';
import { contentRange, noSuchPart, resolveRange, type ResolvedRange } from '../../s3/range.ts';
import { s3Error, S3Error } from '../../s3/s3-error.ts';
import type {
  CallOptions,
  Conditions,
  DeletedObject,
  DeleteObjectsRequest,
  DeleteResult,
  GetObjectRequest,
  Headers,
  ObjectAddress,
  ObjectBody,
  ObjectHead,
  PutObjectRequest,
  WriteResult,
} from '../object-store.ts';
import { checkLength, checkVersion, keyBytes, newEtag } from './names.ts';
import { FileBody, type Piece } from './object-body.ts';
import type { ObjectRow } from './object-index.ts';
import { answeredHeaders, contentMd5, parseHeaders, storedHeaders } from './stored-headers.ts';
import { checkConditions, commitFile, noSuchKey, type StoreParts } from './store-parts.ts';

const maxDeletions = 1000;

/** An object may be replaced between the look into the index and the opening of its file; not many times in a row. */
const openAttempts = 20;

type ReadRequest = ObjectAddress & { readonly conditions?: Conditions };

/** Writes, reads and deletions of whole objects. */
export class ObjectOperations {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  async put(request: PutObjectRequest, { signal }: CallOptions): Promise<WriteResult> {
    const { database, buckets, objects, files, dataFiles } = this.#parts;
    const { bucket, conditions, body, lengthBytes } = request;
    const key = keyBytes(request.key);
    const headers = JSON.stringify(storedHeaders(request.headers));
    const md5 = contentMd5(request.headers);
    checkLength(lengthBytes);
    const check = (): { bucketId: number; old: ObjectRow | undefined } => {
      const bucketId = buckets.require(bucket).id;
      const old = objects.find(bucketId, key);
      checkConditions(conditions, old, { method: 'PUT', key: request.key });
      return { bucketId, old };
    };
    database.read(check); // Before the body is taken; what counts is the check in the transaction.
    const file = await dataFiles.write({ body, lengthBytes, signal, ...(md5 === undefined ? {} : { md5 }) });
    const etag = newEtag();
    await commitFile(this.#parts, file, () => {
      const { bucketId, old } = check();
      files.adopt(file);
      objects.replace(old, { bucketId, key, etag, sizeBytes: lengthBytes, headers, file });
    });
    await dataFiles.sweep();
    return { etag, headers: { etag } };
  }

  head(request: ReadRequest): ObjectHead {
    return objectHead(this.#find(request, 'HEAD'));
  }

  async get(request: GetObjectRequest, { signal }: CallOptions): Promise<ObjectBody> {
    for (let attempt = 0; attempt < openAttempts; attempt++) {
      const row = this.#find(request, 'GET');
      const { first, last, headers = {} } = this.#rangeOf(row, request);
      const lengthBytes = last - first + 1;
      const body = await this.#open(row, first, lengthBytes, signal);
      if (body === undefined) continue;
      const head = objectHead(row);
      return {
        ...head,
        headers: { ...head.headers, ...headers, 'content-length': String(lengthBytes) },
        offsetBytes: first,
        lengthBytes,
        body,
        discard: async () => await body.discard(),
      };
    }
    throw s3Error('ObjectCorrupted', 'The file of the stored object is missing.');
  }

  async delete(request: ReadRequest): Promise<DeleteResult> {
    const { database, buckets, objects, dataFiles } = this.#parts;
    const key = keyBytes(request.key);
    database.transaction(() => {
      const row = objects.find(buckets.require(request.bucket).id, key);
      checkVersion(request.versionId);
      checkConditions(request.conditions, row, { method: 'DELETE', key: request.key });
      if (row !== undefined) objects.remove(row);
    });
    await dataFiles.sweep();
    return { headers: {} };
  }

  async deleteMany({ bucket, objects: wanted }: DeleteObjectsRequest): Promise<readonly DeletedObject[]> {
    const { database, buckets, objects, dataFiles } = this.#parts;
    if (wanted.length > maxDeletions) throw s3Error('MalformedXML');
    const outcomes = database.transaction(() => {
      const bucketId = buckets.require(bucket).id;
      return wanted.map(({ key, versionId }): DeletedObject => {
        const address = versionId === undefined ? { key } : { key, versionId };
        try {
          checkVersion(versionId);
          const row = objects.find(bucketId, keyBytes(key));
          if (row !== undefined) objects.remove(row);
          return address;
        } catch (error) {
          if (!(error instanceof S3Error)) throw error;
          return { ...address, errorCode: error.code, errorMessage: error.message };
        }
      });
    });
    await dataFiles.sweep();
    return outcomes;
  }

  /** The bytes that a request asks for, with what the answer's headers say of them. */
  #rangeOf(row: ObjectRow, { range, partNumber }: GetObjectRequest): ResolvedRange & { readonly headers?: Headers } {
    const { sizeBytes } = row;
    if (partNumber === undefined) {
      if (range === undefined) return { first: 0, last: sizeBytes - 1 };
      const resolved = resolveRange(range, sizeBytes);
      return { ...resolved, headers: { 'content-range': contentRange(resolved.first, resolved.last, sizeBytes) } };
    }
    const { database, objects } = this.#parts;
    const parts =
      row.file === undefined
        ? database.read(() => objects.extents(row.id, 0, sizeBytes))
        : [{ offsetBytes: 0, sizeBytes }];
    const part = parts[partNumber - 1];
    if (part === undefined) throw noSuchPart(partNumber, parts.length);
    const [first, last] = [part.offsetBytes, part.offsetBytes + part.sizeBytes - 1];
    const count = row.file === undefined ? { 'x-amz-mp-parts-count': String(parts.length) } : {};
    return { first, last, headers: { 'content-range': contentRange(first, last, sizeBytes), ...count } };
  }

  #find(request: ReadRequest, method: 'GET' | 'HEAD'): ObjectRow {
    const { database, buckets, objects } = this.#parts;
    return database.read(() => {
      const row = objects.find(buckets.require(request.bucket).id, keyBytes(request.key));
      checkVersion(request.versionId);
      if (row === undefined) throw noSuchKey(request.key);
      checkConditions(request.conditions, row, { method, key: request.key });
      return row;
    });
  }

  /** Undefined when the object was replaced since `row` was read. */
  async #open(
    row: ObjectRow,
    first: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<FileBody | undefined> {
    if (row.file !== undefined) {
      const pieces = [{ file: row.file, offsetBytes: first, lengthBytes }];
      return await this.#openPieces(pieces, signal, async () => {});
    }
    const { ledger, dataFiles } = this.#parts;
    ledger.pin(row.id);
    const unpin = async (): Promise<void> => {
      ledger.unpin(row.id);
      await dataFiles.sweep();
    };
    try {
      const body = await this.#openPieces(this.#pieces(row, first, lengthBytes), signal, unpin);
      if (body === undefined) await unpin();
      return body;
    } catch (error) {
      await unpin();
      throw error;
    }
  }

  #pieces(row: ObjectRow, first: number, lengthBytes: number): Piece[] {
    const { database, objects } = this.#parts;
    const end = first + lengthBytes;
    const extents = database.read(() => objects.extents(row.id, first, end));
    return extents.map((extent) => {
      const from = Math.max(first, extent.offsetBytes);
      const to = Math.min(end, extent.offsetBytes + extent.sizeBytes);
      return { file: extent.file, offsetBytes: from - extent.offsetBytes, lengthBytes: to - from };
    });
  }

  async #openPieces(
    pieces: readonly Piece[],
    signal: AbortSignal | undefined,
    release: () => Promise<void>,
  ): Promise<FileBody | undefined> {
    const { dataFiles, budget } = this.#parts;
    const open = async (file: string): Promise<FileHandle | undefined> => await dataFiles.open(file);
    const first = pieces[0] === undefined ? undefined : await open(pieces[0].file);
    if (first === undefined) return undefined;
    if (signal?.aborted === true) {
      await first.close();
      signal.throwIfAborted();
    }
    return new FileBody({ pieces, first, open, release, signal, budget });
  }
}

function objectHead(row: ObjectRow): ObjectHead {
  const lastModified = new Date(row.modifiedMs).toUTCString();
  const headers = {
    ...answeredHeaders(parseHeaders(row.headers)),
    etag: row.etag,
    'last-modified': lastModified,
    'accept-ranges': 'bytes',
    'content-length': String(row.sizeBytes),
  };
  return { etag: row.etag, lastModified, sizeBytes: row.sizeBytes, headers };
}
