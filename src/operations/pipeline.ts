import type { ByteIterator, ByteStream } from '../base/byte-stream.ts';
import { primed } from '../base/streams.ts';
import { hostId, renderError } from '../s3/error-document.ts';
import { clientEtag } from '../s3/etag.ts';
import type { S3Error } from '../s3/s3-error.ts';
import { splitTarget } from '../s3/uri-encoding.ts';
import type { RequestFinished, RequestOutcome } from '../telemetry/telemetry.ts';
import { corsHeadersFor } from './cors.ts';
import { enter, type PipelineRequest, type Progress } from './entry.ts';
import { decryptionFailureReason, toS3Error } from './failure.ts';
import type { Gateway, OperationResult } from './gateway.ts';

/** What the listener has to send. */
export interface PipelineResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | ByteStream;
}

/**
 * The border of the S3 side: authenticates, decides, runs one operation, renders its answer or its error, and reports
 * what happened, once. Everything behind it deals in values and typed errors.
 */
export function createS3Handler(gateway: Gateway): (request: PipelineRequest) => Promise<PipelineResponse> {
  return async (request) => {
    const progress: Progress = { startMs: performance.now(), operation: 'Unknown', address: {}, mapsEtags: true };
    gateway.telemetry.requestStarted();
    const response = await respond(request, gateway, progress);
    return withCorsHeaders(response, request, gateway, progress);
  };
}

async function respond(request: PipelineRequest, gateway: Gateway, progress: Progress): Promise<PipelineResponse> {
  try {
    const result = await enter(request, gateway, progress);
    if (typeof result.body !== 'object') {
      report(request, gateway, progress, { status: result.status, bytesOut: result.body?.length ?? 0 });
      return { ...result, headers: withLength(result) };
    }
    // An object that fails at its first segment is answered with an error rather than with a broken connection.
    const body = await primed(result.body);
    return { ...result, body: new WatchedBody({ ...result, body }, request, gateway, progress) };
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

function withLength(result: OperationResult): Readonly<Record<string, string>> {
  if (typeof result.body !== 'string') return result.headers;
  return { ...result.headers, 'content-length': String(Buffer.byteLength(result.body)) };
}

/** The body of an answer with its end observed: each way that it can end is reported, once. */
class WatchedBody implements ByteStream, ByteIterator {
  readonly #result: OperationResult;
  readonly #source: ByteIterator;
  readonly #request: PipelineRequest;
  readonly #gateway: Gateway;
  readonly #progress: Progress;
  #bytesOut = 0;
  #isReported = false;

  constructor(
    result: OperationResult & { readonly body: ByteStream },
    request: PipelineRequest,
    gateway: Gateway,
    progress: Progress,
  ) {
    this.#result = result;
    this.#source = result.body[Symbol.asyncIterator]();
    this.#request = request;
    this.#gateway = gateway;
    this.#progress = progress;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    const chunk = this.#source.ready?.();
    this.#bytesOut += chunk?.length ?? 0;
    return chunk;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const step = await this.#source.next();
      if (step.done === true) this.#endWhole();
      else this.#bytesOut += step.value.length;
      return step;
    } catch (error) {
      reportDecryptionFailure(error, this.#request, this.#gateway, this.#progress);
      this.#end(this.#request.signal.aborted ? 'aborted' : 'broken', error);
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#end('aborted');
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  #endWhole(): void {
    const failure = this.#result.lateFailure?.();
    if (failure === undefined) return this.#end('ok');
    reportDecryptionFailure(failure, this.#request, this.#gateway, this.#progress);
    return this.#end(outcomeOf(failure, this.#request), failure);
  }

  #end(outcome: RequestOutcome, error?: unknown): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const { status } = this.#result;
    report(this.#request, this.#gateway, this.#progress, { status, bytesOut: this.#bytesOut, outcome, error });
  }
}

/** Stands in log and metrics for the answer that nobody is there to get; no client sees it. */
const clientGoneStatus = 499;

function failed(error: unknown, request: PipelineRequest, gateway: Gateway, progress: Progress): PipelineResponse {
  const answer = toS3Error(error);
  reportDecryptionFailure(error, request, gateway, progress);
  const { rawPath } = splitTarget(request.target);
  const rendered = renderError(answer, { resource: rawPath, requestId: request.requestId, hostId });
  const outcome = outcomeOf(answer, request);
  report(request, gateway, progress, {
    status: outcome === 'aborted' ? clientGoneStatus : answer.status,
    bytesOut: 0,
    outcome,
    errorCode: answer.code,
    ...(outcome === 'server_error' ? { error } : {}),
  });
  const headers = errorHeaders(answer, rendered.headers, progress);
  if (answer.status === 304 || request.method === 'HEAD') return { status: rendered.status, headers };
  return { status: rendered.status, headers, body: rendered.body };
}

function outcomeOf({ status }: S3Error, { signal }: PipelineRequest): RequestOutcome {
  if (signal.aborted) return 'aborted';
  // 501 is no fault: the client asked for what is not served.
  return status >= 500 && status !== 501 ? 'server_error' : 'client_error';
}

/** A backend's 304 or 412 may name the ETag: in the client's form, as everywhere. */
function errorHeaders(
  answer: S3Error,
  rendered: Readonly<Record<string, string>>,
  progress: Progress,
): Readonly<Record<string, string>> {
  const { etag } = answer.headers;
  if (etag === undefined || !progress.mapsEtags) return rendered;
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

/** At the end of this turn of the event loop: nobody waits for log and metrics, but the client does for what is sent in it. */
function report(request: PipelineRequest, gateway: Gateway, progress: Progress, ending: Ending): void {
  const { operation, accessKeyId, policy, payload, address } = progress;
  const { status, bytesOut, outcome = 'ok', errorCode, error } = ending;
  const finished: RequestFinished = {
    requestId: request.requestId,
    remoteAddress: request.remoteAddress,
    operation,
    status,
    outcome,
    durationMs: performance.now() - progress.startMs,
    bytesIn: payload?.plaintextBytes ?? 0,
    bytesOut,
    accessKeyId,
    bucket: address.bucket,
    key: address.key,
    policy,
    errorCode,
    error,
  };
  setImmediate(() => gateway.telemetry.requestFinished(finished));
}
