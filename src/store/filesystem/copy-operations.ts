import { s3Error, S3Error } from '../../s3/s3-error.ts';
import type {
  CallOptions,
  CopyObjectRequest,
  CopyPartRequest,
  CopyResult,
  Headers,
  ObjectBody,
} from '../object-store.ts';
import { checkVersion, isoTime, keyBytes, newEtag } from './names.ts';
import type { ObjectRow } from './object-index.ts';
import type { ObjectOperations } from './object-operations.ts';
import { parseHeaders, storedHeaders } from './stored-headers.ts';
import { checkConditions, commitFiles, noSuchKey, type StoreParts } from './store-parts.ts';

/** A source may be replaced between the look into the index and the copying of its file; not many times in a row. */
const copyAttempts = 20;

/** What a copy never takes over from its source by the metadata directive. */
const ownOfEachObject = ['x-amz-website-redirect-location', 'x-amz-tagging'];

/** A file of the new object. */
interface ClonedFile {
  readonly file: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Where a copy goes to, looked up within a transaction. */
interface Destination {
  readonly bucketId: number;
  readonly old: ObjectRow | undefined;
}

/** Copies of objects within the store. */
export class CopyOperations {
  readonly #parts: StoreParts;
  readonly #objects: ObjectOperations;

  constructor(parts: StoreParts, objects: ObjectOperations) {
    this.#parts = parts;
    this.#objects = objects;
  }

  /** The bytes that a part is copied from; consume or discard them. */
  async read(
    { source, sourceConditions, range }: Pick<CopyPartRequest, 'source' | 'sourceConditions' | 'range'>,
    options: CallOptions,
  ): Promise<ObjectBody> {
    const conditions = sourceConditions === undefined ? {} : { conditions: sourceConditions };
    try {
      return await this.#objects.get({ ...source, ...conditions, ...(range === undefined ? {} : { range }) }, options);
    } catch (error) {
      throw asCopyFailure(error);
    }
  }

  async copy(request: CopyObjectRequest, { signal }: CallOptions): Promise<CopyResult> {
    const requested = storedHeaders(request.headers);
    if (isOntoItself(request)) return this.#change(request, requested);
    for (let attempt = 0; attempt < copyAttempts; attempt++) {
      const source = this.#parts.database.read(() => {
        const row = this.#source(request);
        this.#destination(request); // Before anything is copied; what counts is the check in the transaction.
        return row;
      });
      const files = await this.#cloneFiles(source, signal);
      if (files !== undefined) return await this.#commit(request, { source, files, requested });
    }
    throw s3Error('ObjectCorrupted', 'The file of the stored object is missing.');
  }

  /** Onto itself: the content stays, what stands beside it changes. */
  #change(request: CopyObjectRequest, requested: Headers): CopyResult {
    const { database, objects } = this.#parts;
    if (request.metadata === 'COPY' && request.tags === 'COPY' && Object.keys(requested).length === 0) {
      throw s3Error(
        'InvalidRequest',
        'This copy request is illegal because it is trying to copy an object to itself without changing its metadata.',
      );
    }
    return database.transaction(() => {
      const source = this.#source(request);
      this.#destination(request);
      const etag = newEtag();
      const modifiedMs = objects.restate(source.id, { etag, headers: newHeaders(request, source, requested) });
      return result(etag, modifiedMs);
    });
  }

  #source({ source, sourceConditions }: CopyObjectRequest): ObjectRow {
    const { buckets, objects } = this.#parts;
    const row = objects.find(buckets.require(source.bucket).id, keyBytes(source.key));
    checkVersion(source.versionId);
    if (row === undefined) throw noSuchKey(source.key);
    try {
      checkConditions(sourceConditions, row, { method: 'GET', key: source.key });
    } catch (error) {
      throw asCopyFailure(error);
    }
    return row;
  }

  #destination({ bucket, key, conditions }: CopyObjectRequest): Destination {
    const { buckets, objects } = this.#parts;
    const bucketId = buckets.require(bucket).id;
    const old = objects.find(bucketId, keyBytes(key));
    checkConditions(conditions, old, { method: 'PUT', key });
    return { bucketId, old };
  }

  /** Undefined when the source was replaced since `row` was read. */
  async #cloneFiles(row: ObjectRow, signal: AbortSignal | undefined): Promise<readonly ClonedFile[] | undefined> {
    const { database, objects, ledger, dataFiles } = this.#parts;
    if (row.file !== undefined) {
      return await this.#cloneAll([{ file: row.file, offsetBytes: 0, sizeBytes: row.sizeBytes }], signal);
    }
    ledger.pin(row.id);
    try {
      return await this.#cloneAll(
        database.read(() => objects.extents(row.id, 0, row.sizeBytes)),
        signal,
      );
    } finally {
      ledger.unpin(row.id);
      await dataFiles.sweep();
    }
  }

  async #cloneAll(
    sources: readonly ClonedFile[],
    signal: AbortSignal | undefined,
  ): Promise<readonly ClonedFile[] | undefined> {
    const { dataFiles } = this.#parts;
    const cloned: ClonedFile[] = [];
    try {
      for (const source of sources) {
        signal?.throwIfAborted();
        const file = await dataFiles.clone(source.file);
        if (file === undefined) break;
        cloned.push({ ...source, file });
      }
      signal?.throwIfAborted();
    } catch (error) {
      for (const { file } of cloned) await dataFiles.discard(file);
      throw error;
    }
    if (cloned.length > 0 && cloned.length === sources.length) return cloned;
    for (const { file } of cloned) await dataFiles.discard(file);
    return undefined;
  }

  async #commit(
    request: CopyObjectRequest,
    copy: { readonly source: ObjectRow; readonly files: readonly ClonedFile[]; readonly requested: Headers },
  ): Promise<CopyResult> {
    const { files: fileUse, objects, dataFiles } = this.#parts;
    const { source, files, requested } = copy;
    const etag = newEtag();
    const headers = newHeaders(request, source, requested);
    const [only] = files;
    const file = files.length === 1 ? only?.file : undefined;
    const names = files.map((cloned) => cloned.file);
    const copied = await commitFiles(this.#parts, names, () => {
      const { bucketId, old } = this.#destination(request);
      const key = keyBytes(request.key);
      for (const name of names) fileUse.adopt(name);
      const id = objects.replace(old, { bucketId, key, etag, sizeBytes: source.sizeBytes, headers, file });
      if (file === undefined) for (const cloned of files) objects.addExtent(id, cloned);
      return objects.find(bucketId, key);
    });
    await dataFiles.sweep();
    return result(etag, copied?.modifiedMs ?? Date.now());
  }
}

/** A condition that a read answers with NotModified is one that fails a copy. */
function asCopyFailure(error: unknown): unknown {
  return error instanceof S3Error && error.code === 'NotModified' ? s3Error('PreconditionFailed') : error;
}

function isOntoItself({ bucket, key, source }: CopyObjectRequest): boolean {
  return source.bucket === bucket && source.key === key;
}

/** Stored headers of the copy, as the two directives say. */
function newHeaders({ metadata, tags }: CopyObjectRequest, source: ObjectRow, requested: Headers): string {
  const old = parseHeaders(source.headers);
  const [redirect = '', tagging = ''] = ownOfEachObject;
  const described = metadata === 'COPY' ? old : requested;
  const tagged = tags === 'COPY' ? old : requested;
  return JSON.stringify({
    ...without(described, ownOfEachObject),
    ...only(requested, redirect),
    ...only(tagged, tagging),
  });
}

function without(headers: Headers, names: readonly string[]): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

function only(headers: Headers, name: string): Headers {
  const value = headers[name];
  return value === undefined ? {} : { [name]: value };
}

function result(etag: string, modifiedMs: number): CopyResult {
  return { etag, lastModified: isoTime(modifiedMs), headers: { etag } };
}
