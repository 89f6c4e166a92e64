import type { Health } from '../../base/health.ts';
import { parseListBucketsAnswer, parseLocationAnswer } from '../../s3/documents.ts';
import { S3Error } from '../../s3/s3-error.ts';
import { element, s3Namespace, xmlDocument } from '../../s3/xml.ts';
import type { BucketEntry, CallOptions, Headers } from '../object-store.ts';
import { CredentialsRefusedError } from './backend-errors.ts';
import type { S3Client } from './client.ts';
import type { WireResponse } from './transport.ts';
import { collectDocument } from './xml-answers.ts';

/** S3 gives 1 000 buckets a page and 10 000 to an account by default; a backend that never ends is cut off. */
const maxBucketPages = 1000;

/** ListBuckets, all pages. */
export async function listBuckets(client: S3Client, { signal }: CallOptions): Promise<readonly BucketEntry[]> {
  const buckets: BucketEntry[] = [];
  let token: string | undefined;
  for (let page = 0; page < maxBucketPages; page++) {
    const answer = await client.call(
      {
        operation: 'ListBuckets',
        method: 'GET',
        query: { 'continuation-token': token },
        idempotent: true,
        missing: 'NoSuchBucket',
        signal,
      },
      async ({ body }) => parseListBucketsAnswer(await collectDocument(body)),
    );
    buckets.push(...answer.buckets);
    token = answer.continuationToken;
    if (token === undefined) break;
  }
  return buckets;
}

/** CreateBucket. A second attempt after a lost answer would say BucketAlreadyOwnedByYou, so there is none. */
export async function createBucket(
  client: S3Client,
  request: { readonly bucket: string; readonly headers?: Headers; readonly locationConstraint?: string },
  { signal }: CallOptions,
): Promise<void> {
  const { locationConstraint } = request;
  const document =
    locationConstraint === undefined || locationConstraint === ''
      ? ''
      : xmlDocument('CreateBucketConfiguration', s3Namespace, [element('LocationConstraint', locationConstraint)]);
  await client.call(
    {
      operation: 'CreateBucket',
      method: 'PUT',
      bucket: request.bucket,
      headers: request.headers ?? {},
      body: Buffer.from(document),
      idempotent: false,
      missing: 'NoSuchBucket',
      signal,
    },
    discarded,
  );
}

/** HeadBucket. */
export async function headBucket(
  client: S3Client,
  bucket: string,
  { signal }: CallOptions,
): Promise<{ readonly headers: Headers }> {
  return await client.call(
    { operation: 'HeadBucket', method: 'HEAD', bucket, idempotent: true, missing: 'NoSuchBucket', signal },
    discarded,
  );
}

/** DeleteBucket. A second attempt after a lost answer would say NoSuchBucket, so there is none. */
export async function deleteBucket(client: S3Client, bucket: string, { signal }: CallOptions): Promise<void> {
  await client.call(
    { operation: 'DeleteBucket', method: 'DELETE', bucket, idempotent: false, missing: 'NoSuchBucket', signal },
    discarded,
  );
}

/** GetBucketLocation: '' for us-east-1, which the oldest answers leave out and some servers write out. */
export async function getBucketLocation(client: S3Client, bucket: string, { signal }: CallOptions): Promise<string> {
  const location = await client.call(
    {
      operation: 'GetBucketLocation',
      method: 'GET',
      bucket,
      query: { location: '' },
      idempotent: true,
      missing: 'NoSuchBucket',
      signal,
    },
    async ({ body }) => parseLocationAnswer(await collectDocument(body)),
  );
  return location === 'us-east-1' ? '' : location;
}

/** Whether the backend answers and takes the gateway's credentials; one attempt, of the smallest signed request. */
export async function health(client: S3Client, { signal }: CallOptions): Promise<Health> {
  try {
    await client.call(
      {
        operation: 'ListBuckets',
        method: 'GET',
        query: { 'max-buckets': 1 },
        idempotent: true,
        missing: 'NoSuchBucket',
        signal,
        retries: 0,
      },
      discarded,
    );
    return { ok: true };
  } catch (error) {
    if (error instanceof CredentialsRefusedError)
      return { ok: false, reason: `${error.message} (${error.backendCode})` };
    // It answers; that the credentials may not list buckets says nothing against it.
    if (error instanceof S3Error && error.status < 500) return { ok: true };
    if (signal?.aborted === true) throw error;
    return { ok: false, reason: error instanceof Error ? error.message : 'The storage backend is not available.' };
  }
}

async function discarded({ headers, body }: WireResponse): Promise<{ readonly headers: Headers }> {
  await body.discard();
  return { headers };
}
