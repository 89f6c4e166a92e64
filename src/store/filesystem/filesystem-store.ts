import { constants } from 'node:fs';
import { access, mkdir, statfs } from 'node:fs/promises';
import { FlowBudget } from '../../base/flow-budget.ts';
import type { Health } from '../../base/health.ts';
import { checkBucketName } from '../../s3/address.ts';
import { s3Error } from '../../s3/s3-error.ts';
import type {
  BucketEntry,
  CallOptions,
  CompleteUploadRequest,
  Conditions,
  CopyObjectRequest,
  CopyPartRequest,
  CopyResult,
  CreateUploadRequest,
  DeletedObject,
  DeleteObjectsRequest,
  DeleteResult,
  GetObjectRequest,
  Headers,
  ListObjectsRequest,
  ListObjectsResult,
  ListPartsResult,
  ListUploadsRequest,
  ListUploadsResult,
  ListVersionsRequest,
  ListVersionsResult,
  ObjectAddress,
  ObjectBody,
  ObjectHead,
  ObjectStore,
  PutObjectRequest,
  SubResourceAnswer,
  SubResourceRequest,
  UploadAddress,
  UploadPartRequest,
  WriteResult,
} from '../object-store.ts';
import { CopyOperations } from './copy-operations.ts';
import { asOpenError } from './faults.ts';
import { ListingOperations } from './listing-operations.ts';
import { isoTime } from './names.ts';
import { ObjectOperations } from './object-operations.ts';
import { openParts, type StoreParts } from './store-parts.ts';
import { checkAcl } from './stored-headers.ts';
import { SubResources } from './sub-resources.ts';
import { UploadOperations } from './upload-operations.ts';

/** With less than this the store calls itself unhealthy: the index must be able to write, or nothing can be deleted. */
const minFreeBytes = 64 * 1024 * 1024;

const defaultRegion = 'us-east-1';

/** Where the store is. */
export interface FilesystemStoreOptions {
  readonly root: string;
  /** What bodies may hold in memory; shared with the other side of their way. One of its own by default. */
  readonly budget?: FlowBudget;
}

/**
 * The embedded store: content in files, everything else in an SQLite index beside them, whose commit is the one moment
 * at which an object changes. It survives kill -9 and loss of power at any moment with the old or the new object.
 * Several processes and worker threads may have the same root open at once, on a local file system with working locks.
 * ETags are random: unique per write and strong, but not the MD5 of the content (neither are S3's under SSE-KMS), which
 * would cost about two CPU seconds per gigabyte.
 */
export class FilesystemStore implements ObjectStore {
  readonly kind = 'filesystem';
  readonly #root: string;
  readonly #parts: StoreParts;
  readonly #objects: ObjectOperations;
  readonly #copies: CopyOperations;
  readonly #uploads: UploadOperations;
  readonly #listings: ListingOperations;
  readonly #subResources: SubResources;
  #isClosed = false;

  private constructor(root: string, parts: StoreParts) {
    this.#root = root;
    this.#parts = parts;
    this.#objects = new ObjectOperations(parts);
    this.#copies = new CopyOperations(parts, this.#objects);
    this.#uploads = new UploadOperations(parts);
    this.#listings = new ListingOperations(parts);
    this.#subResources = new SubResources(parts);
  }

  expectingOwner(): this {
    return this;
  }

  /**
   * Opens the store under `root`, making it where it is missing, and clears what crashed instances left behind.
   * @throws StoreOpenError when the folder cannot be made or written, or was written by a newer release.
   */
  static async open({ root, budget = new FlowBudget() }: FilesystemStoreOptions): Promise<FilesystemStore> {
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      return new FilesystemStore(root, await openParts(root, budget));
    } catch (error) {
      throw asOpenError(error, root);
    }
  }

  async listBuckets(options: CallOptions = {}): Promise<readonly BucketEntry[]> {
    options.signal?.throwIfAborted();
    const buckets = this.#parts.database.read(() => this.#parts.buckets.all());
    return buckets.map(({ name, createdMs }) => ({ name, creationDate: isoTime(createdMs) }));
  }

  async createBucket(
    bucket: string,
    request: { readonly headers?: Headers; readonly locationConstraint?: string },
    options: CallOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    checkBucketName(bucket);
    checkBucketHeaders(request.headers ?? {});
    const { database, buckets } = this.#parts;
    const asked = request.locationConstraint ?? '';
    database.transaction(() => {
      if (buckets.find(bucket) !== undefined) {
        throw s3Error('BucketAlreadyOwnedByYou', undefined, { details: { BucketName: bucket } });
      }
      buckets.insert(bucket, asked === defaultRegion ? '' : asked);
    });
  }

  async headBucket(bucket: string, options: CallOptions = {}): Promise<{ readonly headers: Headers }> {
    const location = await this.getBucketLocation(bucket, options);
    return { headers: { 'x-amz-bucket-region': location === '' ? defaultRegion : location } };
  }

  /** Open uploads go with the bucket; objects keep it. */
  async deleteBucket(bucket: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const { database, buckets, objects, uploads, dataFiles } = this.#parts;
    database.transaction(() => {
      const { id } = buckets.require(bucket);
      if (objects.hasAny(id)) throw s3Error('BucketNotEmpty', undefined, { details: { BucketName: bucket } });
      uploads.removeAllOf(id);
      buckets.delete(id);
    });
    await dataFiles.sweep();
  }

  async getBucketLocation(bucket: string, options: CallOptions = {}): Promise<string> {
    options.signal?.throwIfAborted();
    return this.#parts.database.read(() => this.#parts.buckets.require(bucket).location);
  }

  async putObject(request: PutObjectRequest, options: CallOptions = {}): Promise<WriteResult> {
    options.signal?.throwIfAborted();
    return await this.#objects.put(request, options);
  }

  async getObject(request: GetObjectRequest, options: CallOptions = {}): Promise<ObjectBody> {
    options.signal?.throwIfAborted();
    return await this.#objects.get(request, options);
  }

  async headObject(
    request: ObjectAddress & { readonly conditions?: Conditions },
    options: CallOptions = {},
  ): Promise<ObjectHead> {
    options.signal?.throwIfAborted();
    return this.#objects.head(request);
  }

  async copyObject(request: CopyObjectRequest, options: CallOptions = {}): Promise<CopyResult> {
    options.signal?.throwIfAborted();
    return await this.#copies.copy(request, options);
  }

  async deleteObject(
    request: ObjectAddress & { readonly headers?: Headers; readonly conditions?: Conditions },
    options: CallOptions = {},
  ): Promise<DeleteResult> {
    options.signal?.throwIfAborted();
    return await this.#objects.delete(request);
  }

  async deleteObjects(request: DeleteObjectsRequest, options: CallOptions = {}): Promise<readonly DeletedObject[]> {
    options.signal?.throwIfAborted();
    return await this.#objects.deleteMany(request);
  }

  async listObjects(request: ListObjectsRequest, options: CallOptions = {}): Promise<ListObjectsResult> {
    options.signal?.throwIfAborted();
    return this.#listings.objects(request);
  }

  async listVersions(request: ListVersionsRequest, options: CallOptions = {}): Promise<ListVersionsResult> {
    options.signal?.throwIfAborted();
    return this.#listings.versions(request);
  }

  async subResource(request: SubResourceRequest, options: CallOptions = {}): Promise<SubResourceAnswer> {
    options.signal?.throwIfAborted();
    return this.#subResources.run(request);
  }

  async createUpload(
    request: CreateUploadRequest,
    options: CallOptions = {},
  ): Promise<{ readonly uploadId: string; readonly headers: Headers }> {
    options.signal?.throwIfAborted();
    return this.#uploads.create(request);
  }

  async uploadPart(request: UploadPartRequest, options: CallOptions = {}): Promise<WriteResult> {
    options.signal?.throwIfAborted();
    return await this.#uploads.uploadPart(request, options);
  }

  async copyPart(request: CopyPartRequest, options: CallOptions = {}): Promise<CopyResult> {
    options.signal?.throwIfAborted();
    const content = await this.#copies.read(request, options);
    try {
      const part = await this.#uploads.uploadPart(
        { ...request, body: content.body, lengthBytes: content.lengthBytes },
        options,
      );
      return { ...part, lastModified: isoTime(Date.now()) };
    } finally {
      await content.discard();
    }
  }

  async completeUpload(request: CompleteUploadRequest, options: CallOptions = {}): Promise<WriteResult> {
    options.signal?.throwIfAborted();
    return await this.#uploads.complete(request);
  }

  async abortUpload(address: UploadAddress, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#uploads.abort(address);
  }

  async listParts(
    request: UploadAddress & { readonly maxParts?: number; readonly partNumberMarker?: number },
    options: CallOptions = {},
  ): Promise<ListPartsResult> {
    options.signal?.throwIfAborted();
    return this.#uploads.listParts(request);
  }

  async listUploads(request: ListUploadsRequest, options: CallOptions = {}): Promise<ListUploadsResult> {
    options.signal?.throwIfAborted();
    return this.#listings.uploads(request);
  }

  async health(): Promise<Health> {
    try {
      await access(this.#root, constants.W_OK);
      const { bavail, bsize } = await statfs(this.#root);
      if (bavail * bsize < minFreeBytes)
        return { ok: false, reason: `less than ${minFreeBytes} bytes of disk are free` };
      this.#parts.ledger.forget([]); // An empty transaction: takes the write lock of the index.
      return { ok: true };
    } catch (error) {
      return {
        ok: false,
        reason: `the store cannot be written: ${error instanceof Error ? error.message : 'unknown'}`,
      };
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#parts.close();
  }
}

function checkBucketHeaders(headers: Headers): void {
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'x-amz-acl') checkAcl(value);
    else if (name === 'x-amz-bucket-object-lock-enabled' && value.toLowerCase() === 'false') continue;
    else if (name === 'x-amz-object-ownership' && value === 'BucketOwnerEnforced') continue;
    else if (/^x-amz-(?:acl|grant-|bucket-|object-)/.test(name)) {
      throw s3Error('NotImplemented', `The embedded store does not implement the header ${name}.`, {
        details: { Header: name },
      });
    }
  }
}
