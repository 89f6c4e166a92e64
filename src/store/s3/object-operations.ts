import { withoutAwsChunked } from '../../s3/object-headers.ts';
import { rangeHeader } from '../../s3/range.ts';
import { s3Error } from '../../s3/s3-error.ts';
import type {
  CallOptions,
  Conditions,
  DeleteResult,
  GetObjectRequest,
  Headers,
  ObjectAddress,
  ObjectBody,
  ObjectHead,
  PutObjectRequest,
  WriteResult,
} from '../object-store.ts';
import type { S3Client } from './client.ts';
import { ResumingBody, type Reopen } from './resuming-body.ts';
import type { WireResponse } from './transport.ts';
import { UploadBody } from './upload-body.ts';

/** PutObject. */
export async function putObject(
  client: S3Client,
  request: PutObjectRequest,
  { signal }: CallOptions,
): Promise<WriteResult> {
  const body = new UploadBody(request.body, request.lengthBytes);
  try {
    return await client.call(
      {
        operation: 'PutObject',
        method: 'PUT',
        bucket: request.bucket,
        key: request.key,
        headers: { ...request.headers, ...conditionHeaders(request.conditions) },
        body,
        idempotent: isUnconditional(request.conditions),
        missing: 'NoSuchBucket',
        signal,
      },
      writeResult,
    );
  } finally {
    body.release();
  }
}

/** HeadObject. */
export async function headObject(
  client: S3Client,
  request: ObjectAddress & { readonly conditions?: Conditions },
  { signal }: CallOptions,
): Promise<ObjectHead> {
  return await client.call(
    {
      operation: 'HeadObject',
      method: 'HEAD',
      bucket: request.bucket,
      key: request.key,
      query: { versionId: request.versionId },
      headers: conditionHeaders(request.conditions),
      idempotent: true,
      missing: missingObject(request),
      signal,
    },
    async ({ headers, body }) => {
      await body.discard();
      return { ...headOf(headers), sizeBytes: contentLength(headers) };
    },
  );
}

/** DeleteObject. */
export async function deleteObject(
  client: S3Client,
  request: ObjectAddress & { readonly headers?: Headers; readonly conditions?: Conditions },
  { signal }: CallOptions,
): Promise<DeleteResult> {
  return await client.call(
    {
      operation: 'DeleteObject',
      method: 'DELETE',
      bucket: request.bucket,
      key: request.key,
      query: { versionId: request.versionId },
      headers: { ...request.headers, ...conditionHeaders(request.conditions) },
      idempotent: isUnconditional(request.conditions),
      missing: missingObject(request),
      signal,
    },
    async ({ headers, body }) => {
      await body.discard();
      return { headers };
    },
  );
}

/** GetObject; the body goes on by itself where its connection breaks. */
export async function getObject(
  client: S3Client,
  request: GetObjectRequest,
  { signal }: CallOptions,
): Promise<ObjectBody> {
  const headers: Record<string, string> = { ...identity, ...conditionHeaders(request.conditions) };
  if (request.range !== undefined) headers['range'] = rangeHeader(request.range);
  return await client.call(getCall(request, signal, headers), async (response) => {
    const extent = await extentOf(response, request.range !== undefined || request.partNumber !== undefined);
    await requirePart(response, request.partNumber);
    const head = headOf(response.headers);
    const body = new ResumingBody({
      first: response.body,
      lengthBytes: extent.lengthBytes,
      reopen: head.etag === '' ? undefined : reopener(client, { request, signal, head, extent }),
      retries: client.retries,
      signal,
      pause: async (attempt, error) => await client.pause({ operation: 'GetObject', attempt, error, signal }),
    });
    const { etag, lastModified, headers } = head;
    const { sizeBytes, offsetBytes, lengthBytes } = extent;
    const discard = async (): Promise<void> => await body.discard();
    return { etag, lastModified, headers, sizeBytes, offsetBytes, lengthBytes, body, discard };
  });
}

/** A backend that does not know part numbers answers the whole object, which is the first part at most. */
async function requirePart({ status, body }: WireResponse, partNumber: number | undefined): Promise<void> {
  if (status === 206 || partNumber === undefined || partNumber === 1) return;
  await body.discard();
  throw s3Error('NotImplemented', 'The storage backend does not read single parts.');
}

/** Proxies on the way must not compress: the bytes are counted. */
const identity = { 'accept-encoding': 'identity' } as const;

interface Extent {
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

function getCall(request: GetObjectRequest, signal: AbortSignal | undefined, headers: Headers) {
  return {
    operation: 'GetObject',
    method: 'GET',
    bucket: request.bucket,
    key: request.key,
    query: { versionId: request.versionId, partNumber: request.partNumber },
    headers,
    idempotent: true,
    missing: missingObject(request),
    signal,
  } as const;
}

/** Asks for the rest of the very same object: its version where the backend names one, its ETag in any case. */
function reopener(
  client: S3Client,
  seen: {
    readonly request: GetObjectRequest;
    readonly signal: AbortSignal | undefined;
    readonly head: Pick<ObjectHead, 'etag' | 'headers'>;
    readonly extent: Extent;
  },
): Reopen {
  const { request, signal, head, extent } = seen;
  return async (givenBytes) => {
    const version = request.versionId ?? head.headers['x-amz-version-id'];
    const first = extent.offsetBytes + givenBytes;
    const last = extent.offsetBytes + extent.lengthBytes - 1;
    const headers = { ...identity, range: rangeHeader({ first, last }), 'if-match': head.etag };
    return await client.call(
      {
        ...getCall(request, signal, headers),
        query: { versionId: version === 'null' ? request.versionId : version },
        retries: 0,
      },
      async (response) => {
        const rest = await extentOf(response, true);
        const same = quotedEtag(response.headers) === head.etag && rest.sizeBytes === extent.sizeBytes;
        if (same && rest.offsetBytes === first && rest.lengthBytes === last - first + 1) return response.body;
        await response.body.discard();
        throw s3Error('PreconditionFailed', 'The object changed in the storage backend while it was read.');
      },
    );
  };
}

/** Which bytes of what an answer carries; a backend may answer a range with the whole object. */
async function extentOf({ status, headers, body }: WireResponse, ranged: boolean): Promise<Extent> {
  try {
    if (status === 200) {
      const sizeBytes = contentLength(headers);
      return { sizeBytes, offsetBytes: 0, lengthBytes: sizeBytes };
    }
    const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
    const extent = {
      sizeBytes: Number(size),
      offsetBytes: Number(first),
      lengthBytes: Number(last) - Number(first) + 1,
    };
    const fits = extent.lengthBytes > 0 && Number(last) < extent.sizeBytes && Number.isSafeInteger(extent.sizeBytes);
    const announced = headers['content-length'] ?? String(extent.lengthBytes);
    if (status !== 206 || !ranged || !fits || Number(announced) !== extent.lengthBytes) throw unreadable('range');
    return extent;
  } catch (error) {
    await body.discard();
    throw error;
  }
}

function headOf(headers: Headers): Pick<ObjectHead, 'etag' | 'lastModified' | 'headers'> {
  return { etag: quotedEtag(headers), lastModified: headers['last-modified'] ?? '', headers: ofObject(headers) };
}

/** Some backends store `aws-chunked`, which is of the transfer, with the object. */
function ofObject(headers: Headers): Headers {
  const { 'content-encoding': coding } = headers;
  if (coding === undefined || !/\baws-chunked\b/i.test(coding)) return headers;
  const { 'content-encoding': _stored, ...others } = headers;
  const kept = withoutAwsChunked(coding);
  return kept === undefined ? others : { ...others, 'content-encoding': kept };
}

function contentLength(headers: Headers): number {
  const text = headers['content-length'] ?? '';
  const length = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw unreadable('length');
  return length;
}

function unreadable(what: string): Error {
  return s3Error('InternalError', `The storage backend answered without a usable ${what}.`);
}

function missingObject({ versionId }: ObjectAddress): 'NoSuchVersion' | 'NoSuchKey' {
  return versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion';
}

/** What PutObject and UploadPart answer. */
export async function writeResult({ headers, body }: WireResponse): Promise<WriteResult> {
  await body.discard();
  return { etag: quotedEtag(headers), headers };
}

function quotedEtag(headers: Headers): string {
  const etag = headers['etag'] ?? '';
  return etag === '' || etag.startsWith('"') || etag.startsWith('W/') ? etag : `"${etag}"`;
}

/** Conditions as headers. */
export function conditionHeaders(conditions: Conditions = {}): Record<string, string> {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  const headers: Record<string, string> = {};
  if (ifMatch !== undefined) headers['if-match'] = ifMatch;
  if (ifNoneMatch !== undefined) headers['if-none-match'] = ifNoneMatch;
  if (ifModifiedSince !== undefined) headers['if-modified-since'] = ifModifiedSince;
  if (ifUnmodifiedSince !== undefined) headers['if-unmodified-since'] = ifUnmodifiedSince;
  return headers;
}

/** A conditional write whose answer got lost would fail when it is sent again, though it took place. */
export function isUnconditional(conditions: Conditions | undefined): boolean {
  return conditions === undefined || Object.keys(conditionHeaders(conditions)).length === 0;
}
