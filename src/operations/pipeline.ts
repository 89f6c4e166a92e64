import type { ByteStream } from '../base/byte-stream.ts';
import { primed, readAll } from '../base/streams.ts';
import { parseAddress, type RequestAddress } from '../s3/address.ts';
import { renderError } from '../s3/error-document.ts';
import { clientEtag } from '../s3/etag.ts';
import { matchOperation } from '../s3/operation-table.ts';
import { decodePayload, type DecodedPayload } from '../s3/payload.ts';
import { s3Error, type S3Error } from '../s3/s3-error.ts';
import { authenticate, type AuthenticatedRequest } from '../s3/sigv4-verify.ts';
import { parseRawQuery, splitTarget, type QueryParameter } from '../s3/uri-encoding.ts';
import type { RequestOutcome } from '../telemetry/telemetry.ts';
import { authorize, decide } from './authorization.ts';
import { corsHeadersFor, preflight } from './cors.ts';
import { decryptionFailureReason, toS3Error } from './failure.ts';
import type { BucketRequest, Gateway, OperationResult, ServiceRequest } from './gateway.ts';
import { postObject } from './post-object.ts';
import { operationOf } from './registry.ts';

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

/** What the listener has to send. */
export interface PipelineResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | ByteStream;
}

/** Largest value of `x-amz-id-2`-like host id: there is one gateway as far as clients can tell. */
const hostId = 's3eg';

/** What is known of a request so far, for the log. */
interface Progress {
  readonly startMs: number;
  operation: string;
  accessKeyId?: string;
  address: RequestAddress;
  policy?: string;
  payload?: DecodedPayload;
  encrypted: boolean;
}

/**
 * The border of the S3 side: authenticates, decides, runs one operation, renders its answer or its error, and reports
 * what happened, once. Everything behind it deals in values and typed errors.
 */
export function createS3Handler(gateway: Gateway): (request: PipelineRequest) => Promise<PipelineResponse> {
  return async (request) => {
    const progress: Progress = { startMs: performance.now(), operation: 'Unknown', address: {}, encrypted: true };
    gateway.telemetry.requestStarted();
    const response = await respond(request, gateway, progress);
    return withCorsHeaders(response, request, gateway, progress);
  };
}

async function respond(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<PipelineResponse> {
  try {
    const result = await run(request, gateway, progress);
    if (typeof result.body !== 'object') {
      report(request, gateway, progress, { status: result.status, bytesOut: result.body?.length ?? 0 });
      return { ...result, headers: withLength(result) };
    }
    // An object that fails at its first segment is answered with an error rather than with a broken connection.
    const body = await primed(result.body);
    return { ...result, body: watched(body, request, gateway, progress, result.status) };
  } catch (error) {
    return failed(error, request, gateway, progress);
  }
}

/** A browser's script sees an answer, also an error, only where the bucket's rules let it. */
async function withCorsHeaders(
  response: PipelineResponse,
  { method, headers }: PipelineRequest,
  gateway: Gateway,
  progress: Progress,
): Promise<PipelineResponse> {
  const { origin } = headers;
  const { bucket, key } = progress.address;
  if (origin === undefined || bucket === undefined || method === 'OPTIONS') return response;
  const cors = await corsHeadersFor(gateway, { bucket, key }, { origin, method });
  return { ...response, headers: { ...response.headers, ...cors } };
}

/** Where a request goes that no signature's host vouches for: to a bucket or an object. */
function unsignedAddress(
  request: PipelineRequest,
  gateway: Gateway,
): { readonly host: string; readonly bucket: string; readonly key: string | undefined } {
  const { rawPath } = splitTarget(request.target);
  const host = hostsOf(request, gateway).at(-1) ?? '';
  const { bucket, key } = parseAddress({ rawPath, host, publicHosts: gateway.publicHosts });
  if (bucket === undefined) throw s3Error('MethodNotAllowed');
  return { host, bucket, key };
}

/** A preflight comes without a signature: the browser sends it by itself. */
async function runPreflight(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  progress.operation = 'PreflightRequest';
  const { bucket, key } = unsignedAddress(request, gateway);
  progress.address = { bucket, ...(key === undefined ? {} : { key }) };
  return preflight(gateway, { bucket, key, headers: request.headers });
}

function isForm({ method, target, headers }: PipelineRequest): boolean {
  return method === 'POST' && !target.includes('?') && /^multipart\/form-data\b/i.test(headers['content-type'] ?? '');
}

/** A form has its signature inside, over a policy. */
async function runForm(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  const { host, bucket, key: pathKey } = unsignedAddress(request, gateway);
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
      request: { requestId, signal, origin: originOf(request, gateway, host) },
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

function originOf(request: PipelineRequest, gateway: Gateway, host: string): string {
  return `${isSecure(request, gateway) ? 'https' : 'http'}://${host}`;
}

async function run(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<OperationResult> {
  if (request.method === 'OPTIONS') return runPreflight(request, gateway, progress);
  if (isForm(request)) return runForm(request, gateway, progress);
  const { rawPath, rawQuery } = splitTarget(request.target);
  const hosts = hostsOf(request, gateway);
  const authenticated = authenticate(
    { method: request.method, rawPath, rawQuery, headers: request.headers, rawHeaders: request.rawHeaders },
    (accessKeyId) => gateway.accessKeys.get(accessKeyId)?.secretAccessKey,
    { now: Date.now(), hosts },
  );
  const { accessKeyId } = authenticated;
  progress.accessKeyId = accessKeyId;
  const address = parseAddress({ rawPath, host: authenticated.host, publicHosts: gateway.publicHosts });
  progress.address = address;
  const query = parseRawQuery(rawQuery);
  const row = matchOperation({ method: request.method, address, query, headers: request.headers });
  progress.operation = row.operation;
  const service: ServiceRequest = {
    requestId: request.requestId,
    accessKeyId,
    grants: gateway.accessKeys.get(accessKeyId)?.allow ?? [],
    headers: request.headers,
    query: queryMap(query),
    origin: originOf(request, gateway, authenticated.host),
    signal: request.signal,
    payload: () => openPayload(request, authenticated, progress),
    document: (maxBytes) => readDocument(request, authenticated, progress, maxBytes),
  };
  const found = operationOf(row);
  if (found.level === 'service') return found.run(service, gateway);
  const { bucket, key } = address;
  if (bucket === undefined) throw s3Error('MethodNotAllowed');
  authorize(service, gateway, { row, bucket, key });
  const inBucket: BucketRequest = { ...service, bucket, ...decide(service, gateway, { bucket, key }) };
  progress.policy = inBucket.policy.name;
  progress.encrypted = inBucket.policy.encryption.mode === 'required';
  if (found.level === 'bucket') return found.run(inBucket, gateway);
  if (key === undefined) throw s3Error('MethodNotAllowed');
  return found.run({ ...inBucket, key }, gateway);
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
): DecodedPayload {
  const payload = decodePayload({
    declaration: authenticated.payload,
    headers: request.headers,
    body: request.body,
    signing: authenticated.signing,
    contentLength: contentLength(request),
    // There they describe the object, not the document.
    verifyChecksumHeaders: progress.operation !== 'CompleteMultipartUpload',
  });
  progress.payload = payload;
  return payload;
}

/** Undefined where the length is not announced; a request without a body at all has none to announce. */
function contentLength({ headers }: PipelineRequest): number | undefined {
  const text = headers['content-length'];
  if (text !== undefined) return Number(text);
  return headers['transfer-encoding'] === undefined ? 0 : undefined;
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
  const payload = openPayload(request, authenticated, progress);
  if (payload.plaintextBytes > maxBytes) throw tooLong();
  return readAll(payload.plaintext, maxBytes, tooLong);
}

function withLength(result: OperationResult): Readonly<Record<string, string>> {
  if (typeof result.body !== 'string') return result.headers;
  return { ...result.headers, 'content-length': String(Buffer.byteLength(result.body)) };
}

/** The body with its end observed: each way that it can end is reported, once. */
function watched(
  body: ByteStream,
  request: PipelineRequest,
  gateway: Gateway,
  progress: Progress,
  status: number,
): ByteStream {
  const iterator = body[Symbol.asyncIterator]();
  let bytesOut = 0;
  let isReported = false;
  const end = (outcome: RequestOutcome, error?: unknown): void => {
    if (isReported) return;
    isReported = true;
    report(request, gateway, progress, { status, bytesOut, outcome, error });
  };
  return {
    [Symbol.asyncIterator]: () => ({
      async next(): Promise<IteratorResult<Uint8Array>> {
        try {
          const step = await iterator.next();
          if (step.done === true) end('ok');
          else bytesOut += step.value.length;
          return step;
        } catch (error) {
          reportDecryptionFailure(error, request, gateway, progress);
          end(request.signal.aborted ? 'aborted' : 'broken', error);
          throw error;
        }
      },
      async return(): Promise<IteratorResult<Uint8Array>> {
        end('aborted');
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

function failed(error: unknown, request: PipelineRequest, gateway: Gateway, progress: Progress): PipelineResponse {
  const answer = toS3Error(error);
  reportDecryptionFailure(error, request, gateway, progress);
  const { rawPath } = splitTarget(request.target);
  const rendered = renderError(answer, { resource: rawPath, requestId: request.requestId, hostId });
  const outcome: RequestOutcome = request.signal.aborted
    ? 'aborted'
    : answer.status >= 500
      ? 'server_error'
      : 'client_error';
  report(request, gateway, progress, {
    status: answer.status,
    bytesOut: 0,
    outcome,
    errorCode: answer.code,
    ...(answer.status >= 500 ? { error } : {}),
  });
  const headers = errorHeaders(answer, rendered.headers, progress);
  if (answer.status === 304 || request.method === 'HEAD') return { status: rendered.status, headers };
  return { status: rendered.status, headers, body: rendered.body };
}

/** A backend's 304 or 412 may name the ETag: in the client's form, as everywhere. */
function errorHeaders(
  answer: S3Error,
  rendered: Readonly<Record<string, string>>,
  progress: Progress,
): Readonly<Record<string, string>> {
  const { etag } = answer.headers;
  if (etag === undefined || !progress.encrypted) return rendered;
  return { ...rendered, etag: clientEtag(etag) };
}

function reportDecryptionFailure(error: unknown, request: PipelineRequest, gateway: Gateway, progress: Progress): void {
  const reason = decryptionFailureReason(error);
  if (reason === undefined) return;
  gateway.telemetry.decryptionFailed({
    requestId: request.requestId,
    reason,
    bucket: progress.address.bucket ?? '',
    key: progress.address.key ?? '',
    error,
  });
}

interface Ending {
  readonly status: number;
  readonly bytesOut: number;
  readonly outcome?: RequestOutcome;
  readonly errorCode?: string;
  readonly error?: unknown;
}

function report(request: PipelineRequest, gateway: Gateway, progress: Progress, ending: Ending): void {
  const { operation, accessKeyId, policy } = progress;
  const { bucket, key } = progress.address;
  gateway.telemetry.requestFinished({
    requestId: request.requestId,
    remoteAddress: request.remoteAddress,
    operation,
    durationMs: performance.now() - progress.startMs,
    bytesIn: progress.payload?.plaintextBytes ?? 0,
    outcome: 'ok',
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
    ...(bucket === undefined ? {} : { bucket }),
    ...(key === undefined ? {} : { key }),
    ...(policy === undefined ? {} : { policy }),
    ...ending,
  });
}
