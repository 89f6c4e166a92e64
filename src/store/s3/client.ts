import { systemClock, type Clock } from '../../base/clock.ts';
import { FlowBudget } from '../../base/flow-budget.ts';
import type { S3ErrorCode } from '../../s3/error-catalogue.ts';
import { S3Error } from '../../s3/s3-error.ts';
import { signRequest } from '../../s3/sigv4-sign.ts';
import { uriEncode } from '../../s3/uri-encoding.ts';
import type { Headers } from '../object-store.ts';
import { BackendBusyError, CredentialsRefusedError, errorOf, unavailable } from './backend-errors.ts';
import type { S3StoreHooks, S3StoreOptions } from './options.ts';
import { preparedBody } from './prepared-body.ts';
import { checkBucketName, outgoingHeaders } from './request-guard.ts';
import { delayBefore, mayRepeat, sleep } from './retry.ts';
import { Transport, TransportError, type WireRequest, type WireResponse } from './transport.ts';
import { UploadBody } from './upload-body.ts';
import { UploadForms, type UploadForm } from './upload-form.ts';

/** Query parameters with their plain values; '' for sub-resources like `uploads`. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** One call of the S3 API. */
export interface S3Call {
  /** S3's name of the operation. */
  readonly operation: string;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly bucket?: string;
  readonly key?: string;
  readonly query?: Query;
  /** Any case; hop-by-hop headers and those of the signature are dropped. */
  readonly headers?: Headers;
  /** Bytes of a document, hashed and sent again at will, or the one body of an object or part. */
  readonly body?: Uint8Array | UploadBody;
  /** See `Repeatability`. */
  readonly idempotent: boolean;
  /** Code of a 404 whose body does not say what is missing. */
  readonly missing: S3ErrorCode;
  readonly signal?: AbortSignal | undefined;
  /** Fewer attempts than the store's settings allow. */
  readonly retries?: number;
  /** Longer wait for the answer's headers than the store's settings allow. */
  readonly headersTimeoutMs?: number;
  /** Computes Content-MD5, which DeleteObjects must have. */
  readonly contentMd5?: boolean;
}

/** Signs, sends, repeats where it is safe, and turns every failure into an S3Error. */
export class S3Client {
  readonly #options: S3StoreOptions;
  readonly #hooks: S3StoreHooks;
  readonly #clock: Clock;
  readonly #transport: Transport;
  readonly #host: string;
  readonly #headers: Headers;
  /** What the backend has shown of the checksums that it wants. */
  readonly forms: UploadForms;

  /**
   * @param shared Connections and knowledge of another client, and headers that every request has.
   * @throws Error where the endpoint is not `http(s)://host[:port]`.
   */
  constructor(
    options: S3StoreOptions,
    hooks: S3StoreHooks,
    shared: { readonly transport?: Transport; readonly forms?: UploadForms; readonly headers?: Headers } = {},
  ) {
    this.#options = options;
    this.#hooks = hooks;
    this.#clock = hooks.clock ?? systemClock;
    const { protocol, host } = parseEndpoint(options.endpoint);
    this.#host = host;
    this.#headers = shared.headers ?? {};
    this.forms = shared.forms ?? new UploadForms(this.#clock);
    this.#transport =
      shared.transport ?? new Transport({ ...options, protocol, budget: hooks.budget ?? new FlowBudget() });
  }

  /** The same client over the same connections, with headers that every request has. */
  withHeaders(headers: Headers): S3Client {
    return new S3Client(this.#options, this.#hooks, { transport: this.#transport, forms: this.forms, headers });
  }

  /** Retries after the first attempt. */
  get retries(): number {
    return this.#options.retries;
  }

  /**
   * Makes the call; `read` takes what it wants from an answer of status 2xx and is part of the attempt, so a document that
   * breaks off is asked for again. Other answers are thrown.
   * @throws S3Error; the signal's reason; the error of the body's source.
   */
  async call<Result>(call: S3Call, read: (response: WireResponse) => Promise<Result> | Result): Promise<Result> {
    const retries = call.retries ?? this.#options.retries;
    for (let attempt = 1; ; attempt++) {
      const form = this.forms.formOf(call);
      try {
        return await this.#attempt(call, form, read);
      } catch (error) {
        const failure = this.#failureOf(call, error);
        const replayable = !(call.body instanceof UploadBody) || call.body.replayable;
        // Nothing was done: it is sent in the other form at once, by the client where its bytes are gone.
        if (failure instanceof S3Error && this.forms.learn(call, form, failure)) {
          if (replayable) continue;
          throw new BackendBusyError(failure, {});
        }
        const mayGoOn = attempt <= retries && mayRepeat(failure, { idempotent: call.idempotent, replayable });
        if (!mayGoOn) throw failure instanceof TransportError ? unavailable(failure) : failure;
        await this.pause({ operation: call.operation, attempt, error: failure, signal: call.signal });
      }
    }
  }

  /** Waits before the next attempt, and tells of it. */
  async pause(failed: {
    readonly operation: string;
    readonly attempt: number;
    readonly error: unknown;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { operation, attempt, signal } = failed;
    const error =
      failed.error instanceof Error ? failed.error : new Error('the request failed', { cause: failed.error });
    const delayMs = delayBefore(attempt, error, this.#hooks.random ?? Math.random);
    this.#hooks.onRetry?.({ operation, attempt, delayMs, error });
    await (this.#hooks.sleep ?? sleep)(delayMs, signal);
  }

  /** Finishes what is running, then closes the connections. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  /** What the caller is to see of a failure: the body's own error and the abort reason win over what they caused. */
  #failureOf(call: S3Call, error: unknown): unknown {
    if (call.body instanceof UploadBody && call.body.failure !== undefined) return call.body.failure.error;
    if (call.signal?.aborted === true) return call.signal.reason;
    if (error instanceof CredentialsRefusedError) {
      this.#hooks.onCredentialsRefused?.({ operation: call.operation, code: error.backendCode });
    }
    return error;
  }

  async #attempt<Result>(
    call: S3Call,
    form: UploadForm,
    read: (response: WireResponse) => Promise<Result> | Result,
  ): Promise<Result> {
    const request = await this.#wireRequest(call, form);
    const startMs = performance.now();
    let status: number | undefined;
    try {
      const response = await this.#transport.send(request);
      ({ status } = response);
      if (status < 200 || status > 299) throw await errorOf(response, call.missing);
      return await read(response);
    } finally {
      this.#hooks.onRequest?.({ operation: call.operation, status, durationMs: performance.now() - startMs });
    }
  }

  async #wireRequest(call: S3Call, form: UploadForm): Promise<WireRequest> {
    const { method, signal } = call;
    const { authority, rawPath } = this.#address(call);
    const query = queryString(call.query ?? {});
    const given = outgoingHeaders({ ...call.headers, ...this.#headers });
    const { body, lengthBytes, payloadHash, headers: ofBody } = await preparedBody({ ...call, headers: given }, form);
    const signed = signRequest({
      method,
      rawPath,
      query,
      headers: { host: authority, ...given, ...ofBody },
      payloadHash,
      credentials: this.#options.credentials,
      region: this.#options.region,
      now: this.#clock.now(),
    });
    return {
      method,
      authority,
      path: query === '' ? rawPath : `${rawPath}?${query}`,
      headers: signed,
      ...(body === undefined ? {} : { body }),
      ...(lengthBytes === undefined ? {} : { lengthBytes }),
      ...(signal === undefined ? {} : { signal }),
      ...(call.headersTimeoutMs === undefined ? {} : { headersTimeoutMs: call.headersTimeoutMs }),
    };
  }

  #address({ bucket, key }: S3Call): { readonly authority: string; readonly rawPath: string } {
    if (bucket === undefined) return { authority: this.#host, rawPath: '/' };
    checkBucketName(bucket, this.#options.pathStyle);
    const keyPath = key === undefined ? '' : uriEncode(key, false);
    if (!this.#options.pathStyle) return { authority: `${bucket}.${this.#host}`, rawPath: `/${keyPath}` };
    return { authority: this.#host, rawPath: key === undefined ? `/${bucket}` : `/${bucket}/${keyPath}` };
  }
}

/** The query string; '' for no parameters. */
function queryString(query: Query): string {
  let text = '';
  for (const name of Object.keys(query)) {
    const value = query[name];
    if (value === undefined) continue;
    text += `${text === '' ? '' : '&'}${uriEncode(name, true)}=${uriEncode(String(value), true)}`;
  }
  return text;
}

function parseEndpoint(endpoint: string): { readonly protocol: 'http:' | 'https:'; readonly host: string } {
  const { protocol, host, pathname, search, hash, username, password } = new URL(endpoint);
  if (protocol !== 'http:' && protocol !== 'https:') throw new Error('an S3 endpoint begins with http:// or https://');
  if (pathname !== '/' || search !== '' || hash !== '' || username !== '' || password !== '') {
    throw new Error('an S3 endpoint has the form https://host[:port]');
  }
  return { protocol, host };
}
