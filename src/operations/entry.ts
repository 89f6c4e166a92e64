import type { ByteStream } from '../base/byte-stream.ts';
import { readAll } from '../base/streams.ts';
import { isVirtualHosted, parseAddress, type RequestAddress } from '../s3/address.ts';
import { liftHoistedHeaders, type LiftedRequest } from '../s3/hoisted-headers.ts';
import { matchOperation } from '../s3/operation-table.ts';
import { decodePayload, type DecodedPayload } from '../s3/payload.ts';
import { s3Error } from '../s3/s3-error.ts';
import { authenticate, type AuthenticatedRequest } from '../s3/sigv4-verify.ts';
import { parseRawQuery, splitTarget, type QueryParameter } from '../s3/uri-encoding.ts';
import { authorize, decide } from './authorization.ts';
import { requireConditions } from './backend-quirks.ts';
import { preflight } from './cors.ts';
import type { BucketRequest, Gateway, OperationResult, ServiceRequest } from './gateway.ts';
import { postObject } from './post-object.ts';
import { underPlaintextConditions } from './plaintext-conditions.ts';
import { operationOf } from './registry.ts';
import { showsMd5 } from './shown-etag.ts';

/** A request as the listener hands it over. */
export interface PipelineRequest {
  readonly method: string;
  /** Raw path and query. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly body: ByteStream;
  readonly requestId: string;
  readonly remoteAddress: string;
  readonly secure: boolean;
  readonly signal: AbortSignal;
}

/** What is known of a request so far, for the log. */
export interface Progress {
  readonly startMs: number;
  operation: string;
  accessKeyId?: string;
  address: RequestAddress;
  policy?: string;
  payload?: DecodedPayload;
  /** Whether the backend's ETag in an error is still to be written as clients see it. */
  mapsEtags: boolean;
}

/**
 * Authenticates a request, decides about it and runs its operation. What becomes known on the way is noted in `progress`,
 * so that the log has it also where the request fails.
 * @throws S3Error and the errors of what lies behind (see `toS3Error`).
 */
export async function enter(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  if (request.method === 'OPTIONS') return runPreflight(request, gateway, progress);
  if (isForm(request)) return runForm(request, gateway, progress);
  if (isMistakenForm(request, gateway)) {
    throw s3Error('PreconditionFailed', undefined, {
      details: { Condition: 'Bucket POST must be of the enclosure-type multipart/form-data' },
    });
  }
  return runSigned(request, gateway, progress);
}

/** Where a request goes that no signature's host vouches for. */
function unsignedAddress(
  request: PipelineRequest,
  gateway: Gateway,
): { readonly host: string; readonly bucket: string | undefined; readonly key: string | undefined } {
  const { rawPath } = splitTarget(request.target);
  const host = hostsOf(request, gateway).at(-1) ?? '';
  const { bucket, key } = parseAddress({ rawPath, host, publicHosts: gateway.publicHosts });
  return { host, bucket, key };
}

/** A preflight comes without a signature: the browser sends it by itself. */
async function runPreflight(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  progress.operation = 'PreflightRequest';
  const { bucket, key } = unsignedAddress(request, gateway);
  if (bucket === undefined) throw s3Error('MethodNotAllowed');
  progress.address = { bucket, ...(key === undefined ? {} : { key }) };
  return preflight(gateway, { bucket, key, headers: request.headers });
}

function isForm({ method, target, headers }: PipelineRequest): boolean {
  return method === 'POST' && !target.includes('?') && /^multipart\/form-data\b/i.test(headers['content-type'] ?? '');
}

/** A POST to a bucket that asks for nothing else can only be meant for a form. */
function isMistakenForm(request: PipelineRequest, gateway: Gateway): boolean {
  const { method, target, headers } = request;
  if (method !== 'POST' || target.includes('?') || headers['authorization'] !== undefined) return false;
  const { bucket, key } = unsignedAddress(request, gateway);
  return bucket !== undefined && key === undefined;
}

/** A form has its signature inside, over a policy. */
async function runForm(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  const { host, bucket, key: pathKey } = unsignedAddress(request, gateway);
  if (bucket === undefined) throw s3Error('MethodNotAllowed');
  const address = { bucket, ...(pathKey === undefined ? {} : { key: pathKey }) };
  const row = matchOperation({ method: request.method, address, query: [], headers: request.headers });
  progress.operation = row.operation;
  progress.address = { bucket };
  const { requestId, signal, body, headers } = request;
  return postObject(
    {
      bucket,
      contentType: headers['content-type'] ?? '',
      contentLength: contentLength(request),
      body,
      request: { requestId, signal, bucketUrl: bucketUrlOf(request, gateway, { host, bucket }) },
      admit: (service, key) => {
        progress.accessKeyId = service.accessKeyId;
        progress.address = { bucket, key };
        authorize(service, gateway, { row, bucket, key });
        const decided = decide(service, gateway, { bucket, key });
        progress.policy = decided.policy.name;
        return { ...service, bucket, key, ...decided };
      },
    },
    gateway,
  );
}

/** As the client wrote it; in path style the bucket is a part of the path, where there is one. */
function bucketUrlOf(
  request: PipelineRequest,
  gateway: Gateway,
  { host, bucket }: { readonly host: string; readonly bucket: string | undefined },
): string {
  const origin = `${isSecure(request, gateway) ? 'https' : 'http'}://${host}`;
  if (bucket === undefined || isVirtualHosted(host, gateway.publicHosts)) return origin;
  return `${origin}/${bucket}`;
}

async function runSigned(received: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  const { rawPath, rawQuery } = splitTarget(received.target);
  const hosts = hostsOf(received, gateway);
  const authenticated = authenticate(
    { method: received.method, rawPath, rawQuery, headers: received.headers, rawHeaders: received.rawHeaders },
    (accessKeyId) => gateway.accessKeys.get(accessKeyId)?.secretAccessKey,
    { now: Date.now(), hosts },
  );
  const { accessKeyId } = authenticated;
  progress.accessKeyId = accessKeyId;
  const address = parseAddress({ rawPath, host: authenticated.host, publicHosts: gateway.publicHosts });
  progress.address = address;
  const { query, headers } = meantBy(authenticated, { query: parseRawQuery(rawQuery), headers: received.headers });
  const request = headers === received.headers ? received : withHeaders(received, headers);
  const row = matchOperation({ method: request.method, address, query, headers: request.headers });
  progress.operation = row.operation;
  const service: ServiceRequest = {
    requestId: request.requestId,
    accessKeyId,
    grants: gateway.accessKeys.get(accessKeyId)?.allow ?? [],
    headers: request.headers,
    query: queryMap(query),
    bucketUrl: bucketUrlOf(request, gateway, { host: authenticated.host, bucket: address.bucket }),
    signal: request.signal,
    payload: () => openPayload(request, authenticated, progress, announcedLength(request)),
    document: (maxBytes) => readDocument(request, authenticated, progress, maxBytes),
  };
  const found = operationOf(row);
  if (found.level === 'service') return found.run(service, gateway);
  const { bucket, key } = address;
  if (bucket === undefined) throw s3Error('MethodNotAllowed');
  authorize(service, gateway, { row, bucket, key });
  const inBucket: BucketRequest = { ...service, bucket, ...decide(service, gateway, { bucket, key }) };
  progress.policy = inBucket.policy.name;
  progress.mapsEtags = inBucket.policy.encryption.mode === 'required' && !showsMd5(inBucket);
  requireConditions(inBucket, row.operation);
  if (found.level === 'bucket') return found.run(inBucket, gateway);
  if (key === undefined) throw s3Error('MethodNotAllowed');
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  return underPlaintextConditions({ ...inBucket, key }, gateway, { isRead, run: found.run });
}

/** Field by field: a spread would lose `signal`, which the listener makes only when it is asked for. */
function withHeaders(request: PipelineRequest, headers: PipelineRequest['headers']): PipelineRequest {
  const { method, target, rawHeaders, body, requestId, remoteAddress, secure, signal } = request;
  return { method, target, headers, rawHeaders, body, requestId, remoteAddress, secure, signal };
}

/** What a presigned URL has in its query in place of headers counts as headers; its signature covers both. */
function meantBy({ style }: AuthenticatedRequest, signed: LiftedRequest): LiftedRequest {
  return style === 'presigned' ? liftHoistedHeaders(signed) : signed;
}

/** Host names that the client may have signed: what came, and behind a trusted proxy what the proxy says came. */
function hostsOf(request: PipelineRequest, gateway: Gateway): readonly string[] {
  const host = request.headers['host'] ?? '';
  const forwarded = request.headers['x-forwarded-host']?.split(',', 1)[0]?.trim();
  if (forwarded === undefined || forwarded === '' || !gateway.trustsProxy(request.remoteAddress)) return [host];
  return [host, forwarded];
}

function isSecure(request: PipelineRequest, gateway: Gateway): boolean {
  if (request.secure) return true;
  return request.headers['x-forwarded-proto'] === 'https' && gateway.trustsProxy(request.remoteAddress);
}

function queryMap(query: readonly QueryParameter[]): ReadonlyMap<string, string> {
  return new Map(query.map(({ name, value }) => [name, value]));
}

function openPayload(
  request: PipelineRequest,
  authenticated: AuthenticatedRequest,
  progress: Progress,
  contentLength: number | undefined,
): DecodedPayload {
  const payload = decodePayload({
    declaration: authenticated.payload,
    headers: request.headers,
    body: request.body,
    signing: authenticated.signing,
    contentLength,
    // There they describe the object, not the document.
    verifyChecksumHeaders: progress.operation !== 'CompleteMultipartUpload',
  });
  progress.payload = payload;
  return payload;
}

/** Undefined where the length is not announced: S3 takes no object then, not even for an empty one. */
function announcedLength({ headers }: PipelineRequest): number | undefined {
  const text = headers['content-length'];
  return text === undefined ? undefined : Number(text);
}

/** The same for a document or a form, which a request without any body leaves out. */
function contentLength(request: PipelineRequest): number | undefined {
  const isLeftOut = request.headers['transfer-encoding'] === undefined;
  return announcedLength(request) ?? (isLeftOut ? 0 : undefined);
}

function tooLong(): Error {
  return s3Error('MaxMessageLengthExceeded');
}

async function readDocument(
  request: PipelineRequest,
  authenticated: AuthenticatedRequest,
  progress: Progress,
  maxBytes: number,
): Promise<Uint8Array> {
  const payload = openPayload(request, authenticated, progress, contentLength(request));
  if (payload.plaintextBytes > maxBytes) throw tooLong();
  return readAll(payload.plaintext, maxBytes, tooLong);
}
