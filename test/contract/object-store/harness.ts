import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';
import type {
  CompletedPart,
  Headers,
  ListObjectsRequest,
  ListObjectsResult,
  ObjectStore,
  PutObjectRequest,
} from '../../../src/store/object-store.ts';
import { mixedReads } from '../../support/mixed-reads.ts';

/** What an adapter brings to the suite. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** A bucket name that nobody else uses; default `uniqueBucketName`. */
  readonly bucketName?: () => string;
  /** Called once after the last test; closes the store and whatever stands behind it. */
  readonly close: () => Promise<void>;
}

/** What each test gets: the store and a fresh bucket, which is emptied and deleted afterwards. */
export interface ContractContext {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly newBucketName: () => string;
}

export interface ContractTest {
  readonly name: string;
  readonly run: (context: ContractContext) => Promise<void>;
}

/** Names that fit S3's rules for buckets. */
export function uniqueBucketName(): string {
  return `contract-${randomBytes(8).toString('hex')}`;
}

/** Bytes that differ from place to place, so that a chunk out of place is seen; the same seed gives the same bytes. */
export function pattern(lengthBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < lengthBytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

/** A body in chunks of `chunkBytes`. */
export async function* streamOf(bytes: Uint8Array, chunkBytes = 64 * 1024): ByteStream & AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    yield bytes.subarray(offset, Math.min(bytes.length, offset + chunkBytes));
  }
}

/** Everything a body gives, in one piece. */
export async function collect(body: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of mixedReads(body)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface PutOptions {
  readonly headers?: Headers;
  readonly conditions?: PutObjectRequest['conditions'];
}

/** Puts whole bytes; answers the ETag. */
export async function put(
  { store, bucket }: ContractContext,
  key: string,
  content: Uint8Array | string,
  options: PutOptions = {},
): Promise<string> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const result = await store.putObject({
    bucket,
    key,
    headers: options.headers ?? {},
    ...(options.conditions === undefined ? {} : { conditions: options.conditions }),
    body: streamOf(bytes),
    lengthBytes: bytes.length,
  });
  return result.etag;
}

/** The whole object. */
export async function get({ store, bucket }: ContractContext, key: string): Promise<Buffer> {
  const object = await store.getObject({ bucket, key });
  return await collect(object.body);
}

/** Uploads one part; answers its ETag. */
export async function putPart(
  { store, bucket }: ContractContext,
  upload: { readonly key: string; readonly uploadId: string },
  partNumber: number,
  bytes: Uint8Array,
): Promise<CompletedPart> {
  const { etag } = await store.uploadPart({
    bucket,
    ...upload,
    partNumber,
    body: streamOf(bytes),
    lengthBytes: bytes.length,
  });
  return { partNumber, etag };
}

/** Starts an upload in the test's bucket. */
export async function startUpload(
  { store, bucket }: ContractContext,
  key: string,
  headers: Headers = {},
): Promise<{ readonly key: string; readonly uploadId: string }> {
  const { uploadId } = await store.createUpload({ bucket, key, headers });
  assert.ok(uploadId.length > 0);
  return { key, uploadId };
}

/** Fails unless the promise is rejected with an S3Error of this code and status. */
export async function rejectsWith(promise: Promise<unknown>, code: string, status: number): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof S3Error, `not an S3Error: ${String(error)}`);
    assert.deepEqual({ code: error.code, status: error.status }, { code, status }, error.message);
    return true;
  });
}

/** One page in the form that both versions of the listing share. */
export type PageRequest = Omit<ListObjectsRequest, 'bucket'>;

/** All pages of a listing, following the markers of its version; fails when a page breaks the rules of pagination. */
export async function listAll(
  { store, bucket }: ContractContext,
  request: PageRequest,
): Promise<{ readonly keys: string[]; readonly commonPrefixes: string[]; readonly pages: number }> {
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  let next: PageRequest = request;
  for (let pages = 1; ; pages++) {
    assert.ok(pages <= 5000, 'a listing that never ends');
    const page = await store.listObjects({ bucket, ...next });
    const items = page.objects.length + page.commonPrefixes.length;
    assert.ok(items <= (request.maxKeys ?? 1000), `${items} items on a page of ${request.maxKeys ?? 1000}`);
    keys.push(...page.objects.map((object) => object.key));
    commonPrefixes.push(...page.commonPrefixes);
    if (!page.isTruncated) return { keys, commonPrefixes, pages };
    assert.ok(items > 0, 'a truncated page without an item');
    next = { ...request, ...continuation(page, request) };
  }
}

function continuation(page: ListObjectsResult, request: PageRequest): Partial<PageRequest> {
  if (request.version === 2) {
    assert.ok(page.nextContinuationToken !== undefined, 'truncated without a continuation token');
    return { continuationToken: page.nextContinuationToken };
  }
  // Without a delimiter S3 gives no NextMarker: clients go on from the last key.
  const marker = page.nextMarker ?? page.objects.at(-1)?.key;
  assert.ok(marker !== undefined, 'truncated without anything to go on from');
  if (request.delimiter !== undefined) assert.ok(page.nextMarker !== undefined, 'a delimiter asks for NextMarker');
  return { marker };
}

/** Removes everything from a bucket, then the bucket. */
export async function removeBucket(store: ObjectStore, bucket: string): Promise<void> {
  for (let round = 0; ; round++) {
    const page = await store.listObjects({ bucket, version: 2 });
    if (page.objects.length === 0) break;
    // A key that the listing shows as another one is never removed.
    const keys = page.objects.map(({ key }) => key);
    assert.ok(round < 100, `still listed after being deleted: ${JSON.stringify(keys)}`);
    await store.deleteObjects({ bucket, objects: keys.map((key) => ({ key })) });
  }
  const { uploads } = await store.listUploads({ bucket });
  for (const { key, uploadId } of uploads) await store.abortUpload({ bucket, key, uploadId });
  await store.deleteBucket(bucket);
}
