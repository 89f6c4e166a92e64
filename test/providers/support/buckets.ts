/** Buckets of one run, which are all gone afterwards: a provider that costs money keeps nothing. */
import { randomBytes } from 'node:crypto';

import { S3CallError, type S3Client, type Upload } from '../../interop/support/s3-client.ts';
import type { RunningProvider } from './start-provider.ts';

interface ListedVersions {
  readonly Versions?: readonly { readonly Key: string; readonly VersionId: string }[];
  readonly DeleteMarkers?: readonly { readonly Key: string; readonly VersionId: string }[];
}

/** Makes buckets with unused names, and removes them. */
export class RunBuckets {
  readonly #client: S3Client;
  readonly #running: RunningProvider;
  readonly #id = randomBytes(5).toString('hex');
  readonly #made: string[] = [];

  constructor(client: S3Client, running: RunningProvider) {
    this.#client = client;
    this.#running = running;
  }

  async make(options: object = {}): Promise<string> {
    const { bucketPrefix, region } = this.#running;
    const Bucket = `${bucketPrefix}-${this.#id}-${this.#made.length}`;
    const place = region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region } };
    this.#made.push(Bucket);
    await this.#client.call('create_bucket', { Bucket, ...place, ...options });
    return Bucket;
  }

  /** Removes every bucket with all that is in it; fails for what is left. */
  async removeAll(): Promise<void> {
    for (const bucket of this.#made) {
      try {
        await this.#empty(bucket);
        await this.#client.call('delete_bucket', { Bucket: bucket });
      } catch (error) {
        if (!(error instanceof S3CallError) || error.code !== 'NoSuchBucket') throw error;
      }
    }
  }

  async #empty(Bucket: string): Promise<void> {
    const { Uploads = [] }: { Uploads?: readonly Omit<Upload, 'Bucket'>[] } = await this.#client
      .call<{ Uploads?: readonly Omit<Upload, 'Bucket'>[] }>('list_multipart_uploads', { Bucket })
      .catch(() => ({}));
    for (const { Key, UploadId } of Uploads) {
      await this.#client.call('abort_multipart_upload', { Bucket, Key, UploadId });
    }
    const { Versions = [], DeleteMarkers = [] } = await this.#client
      .call<ListedVersions>('list_object_versions', { Bucket })
      .catch((): ListedVersions => ({}));
    for (const { Key, VersionId } of [...Versions, ...DeleteMarkers]) {
      // Where there are no versions the bypass is refused as unknown.
      await this.#client.call('delete_object', { Bucket, Key, ...(VersionId === 'null' ? {} : { VersionId }) });
    }
    for (const { Key } of await this.#client.list(Bucket)) await this.#client.delete(Bucket, Key);
  }
}
