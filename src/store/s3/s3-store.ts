import type { Health } from '../../base/health.ts';
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
import * as buckets from './bucket-operations.ts';
import { S3Client } from './client.ts';
import { copyObject, copyPart } from './copy-operations.ts';
import { deleteObjects } from './delete-operations.ts';
import { listObjects, listVersions } from './listing-operations.ts';
import * as objects from './object-operations.ts';
import type { S3StoreHooks, S3StoreOptions } from './options.ts';
import { subResource } from './sub-resource-operations.ts';
import * as uploads from './upload-operations.ts';

/** The ObjectStore port over any provider that speaks S3: one backend request per call, signed with SigV4. */
export class S3Store implements ObjectStore {
  readonly kind = 's3';
  readonly #options: S3StoreOptions;
  readonly #hooks: S3StoreHooks;
  readonly #client: S3Client;

  /** @throws Error where the endpoint is not `http(s)://host[:port]`. No connection is made yet. */
  constructor(options: S3StoreOptions, hooks: S3StoreHooks = {}, client = new S3Client(options, hooks)) {
    this.#options = options;
    this.#hooks = hooks;
    this.#client = client;
  }

  expectingOwner(owner: string): S3Store {
    const client = this.#client.withHeaders({ 'x-amz-expected-bucket-owner': owner });
    return new S3Store(this.#options, this.#hooks, client);
  }

  async listBuckets(options: CallOptions = {}): Promise<readonly BucketEntry[]> {
    return await buckets.listBuckets(this.#client, options);
  }

  async createBucket(
    bucket: string,
    request: { readonly headers?: Headers; readonly locationConstraint?: string },
    options: CallOptions = {},
  ): Promise<void> {
    await buckets.createBucket(this.#client, { ...request, bucket }, options);
  }

  async headBucket(bucket: string, options: CallOptions = {}): Promise<{ readonly headers: Headers }> {
    return await buckets.headBucket(this.#client, bucket, options);
  }

  async deleteBucket(bucket: string, options: CallOptions = {}): Promise<void> {
    await buckets.deleteBucket(this.#client, bucket, options);
  }

  async getBucketLocation(bucket: string, options: CallOptions = {}): Promise<string> {
    return await buckets.getBucketLocation(this.#client, bucket, options);
  }

  async putObject(request: PutObjectRequest, options: CallOptions = {}): Promise<WriteResult> {
    return await objects.putObject(this.#client, request, options);
  }

  async getObject(request: GetObjectRequest, options: CallOptions = {}): Promise<ObjectBody> {
    return await objects.getObject(this.#client, request, options);
  }

  async headObject(
    request: ObjectAddress & { readonly conditions?: Conditions },
    options: CallOptions = {},
  ): Promise<ObjectHead> {
    return await objects.headObject(this.#client, request, options);
  }

  async copyObject(request: CopyObjectRequest, options: CallOptions = {}): Promise<CopyResult> {
    return await copyObject(this.#client, request, options);
  }

  async deleteObject(
    request: ObjectAddress & { readonly headers?: Headers; readonly conditions?: Conditions },
    options: CallOptions = {},
  ): Promise<DeleteResult> {
    return await objects.deleteObject(this.#client, request, options);
  }

  async deleteObjects(request: DeleteObjectsRequest, options: CallOptions = {}): Promise<readonly DeletedObject[]> {
    return await deleteObjects(this.#client, request, options);
  }

  async listObjects(request: ListObjectsRequest, options: CallOptions = {}): Promise<ListObjectsResult> {
    return await listObjects(this.#client, request, options);
  }

  async listVersions(request: ListVersionsRequest, options: CallOptions = {}): Promise<ListVersionsResult> {
    return await listVersions(this.#client, request, options);
  }

  async subResource(request: SubResourceRequest, options: CallOptions = {}): Promise<SubResourceAnswer> {
    return await subResource(this.#client, request, options);
  }

  async createUpload(
    request: CreateUploadRequest,
    options: CallOptions = {},
  ): Promise<{ readonly uploadId: string; readonly headers: Headers }> {
    return await uploads.createUpload(this.#client, request, options);
  }

  async uploadPart(request: UploadPartRequest, options: CallOptions = {}): Promise<WriteResult> {
    return await uploads.uploadPart(this.#client, request, options);
  }

  async copyPart(request: CopyPartRequest, options: CallOptions = {}): Promise<CopyResult> {
    return await copyPart(this.#client, request, options);
  }

  async completeUpload(request: CompleteUploadRequest, options: CallOptions = {}): Promise<WriteResult> {
    return await uploads.completeUpload(this.#client, request, options);
  }

  async abortUpload(address: UploadAddress, options: CallOptions = {}): Promise<void> {
    await uploads.abortUpload(this.#client, address, options);
  }

  async listParts(
    request: UploadAddress & { readonly maxParts?: number; readonly partNumberMarker?: number },
    options: CallOptions = {},
  ): Promise<ListPartsResult> {
    return await uploads.listParts(this.#client, request, options);
  }

  async listUploads(request: ListUploadsRequest, options: CallOptions = {}): Promise<ListUploadsResult> {
    return await uploads.listUploads(this.#client, request, options);
  }

  /** One small signed request; refused credentials make it not ok. */
  async health(options: CallOptions = {}): Promise<Health> {
    return await buckets.health(this.#client, options);
  }

  /** Waits for running requests, then closes the connections. */
  async close(): Promise<void> {
    await this.#client.close();
  }
}
