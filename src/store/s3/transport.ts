import { Pool, type buildConnector, type Dispatcher } from 'undici/index.js';
import type { FlowBudget } from '../../base/flow-budget.ts';
import type { Headers } from '../object-store.ts';
import { backendConnector } from './backend-socket.ts';
import { checkHeaders, checkLength, checkPath } from './request-guard.ts';
import { ResponseBody } from './response-body.ts';

/** Virtual-hosted style needs a pool for each bucket; those that were not used for longest are closed. */
const maxPools = 256;
/** Providers close idle connections after 5 to 20 seconds and more; theirs to say less by a keep-alive hint. */
const keepAliveTimeoutMs = 10_000;

export interface TransportOptions {
  readonly protocol: 'http:' | 'https:';
  readonly ca?: string;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly budget: FlowBudget;
}

/** A request as it goes over the wire. */
export interface WireRequest {
  readonly method: Dispatcher.HttpMethod;
  /** `host[:port]`, as in the Host header. */
  readonly authority: string;
  /** Raw path and query, sent untouched. */
  readonly path: string;
  /** Lower-case names, signed, with host and without content-length. */
  readonly headers: Headers;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Of the body, exactly; 0 for a PUT or POST without one. */
  readonly lengthBytes?: number;
  readonly signal?: AbortSignal;
  /** At least so long to wait for the answer's headers; by default the transport's setting. */
  readonly headersTimeoutMs?: number;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ResponseBody;
}

/**
 * No answer came, or it broke off. `cause` is undici's error.
 * `sent`: some of the request may have reached the backend; false when no connection was made.
 */
export class TransportError extends Error {
  readonly sent: boolean;

  constructor(sent: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : 'the connection failed', { cause });
    this.name = 'TransportError';
    this.sent = sent;
  }
}

/** HTTP/1.1 over pools of kept connections, one pool for each host. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #connect: buildConnector.connector;
  readonly #pools = new Map<string, Pool>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#connect = backendConnector(options);
  }

  /**
   * Sends one request, once. Resolves with the answer's headers; its body must be consumed or discarded.
   * @throws TransportError; the signal's reason; S3Error for requests that HTTP does not allow.
   */
  async send(request: WireRequest): Promise<WireResponse> {
    // A pool loses a slot with each request that it refuses: see request-guard.ts.
    checkPath(request.path);
    checkHeaders(request.headers);
    if (request.lengthBytes !== undefined) checkLength(request.lengthBytes);
    request.signal?.throwIfAborted();
    const exchange = new Exchange(request.signal, this.#options.budget);
    const { lengthBytes, body, headersTimeoutMs = 0 } = request;
    this.#pool(request.authority).dispatch(
      {
        method: request.method,
        path: request.path,
        headers:
          lengthBytes === undefined ? request.headers : { ...request.headers, 'content-length': String(lengthBytes) },
        headersTimeout: Math.max(headersTimeoutMs, this.#options.headersTimeoutMs),
        ...(body === undefined || lengthBytes === 0 ? {} : { body: dispatchBody(body) }),
        // undici closes the connection after every HEAD unless told not to.
        ...(request.method === 'HEAD' ? { reset: false } : {}),
      },
      exchange,
    );
    return await exchange.response;
  }

  /** Waits for running requests, then closes all connections. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(async (pool) => await pool.close()));
  }

  #pool(authority: string): Pool {
    const known = this.#pools.get(authority);
    this.#pools.delete(authority);
    const pool = known ?? this.#newPool(authority);
    this.#pools.set(authority, pool);
    if (this.#pools.size > maxPools) this.#closeOldest();
    return pool;
  }

  #closeOldest(): void {
    for (const [authority, pool] of this.#pools) {
      this.#pools.delete(authority);
      pool.close().catch(() => {}); // finishes what is running
      return;
    }
  }

  #newPool(authority: string): Pool {
    const { protocol, maxConnections, headersTimeoutMs, bodyTimeoutMs } = this.#options;
    return new Pool(`${protocol}//${authority}`, {
      connections: maxConnections,
      pipelining: 1,
      allowH2: false,
      connect: this.#connect,
      headersTimeout: headersTimeoutMs,
      bodyTimeout: bodyTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: 64 * 1024,
    });
  }
}

/** undici takes any async iterable, and at less cost than a Readable; its types do not say so. */
function dispatchBody(body: Uint8Array | AsyncIterable<Uint8Array>): NonNullable<Dispatcher.DispatchOptions['body']> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return body as NonNullable<Dispatcher.DispatchOptions['body']>;
}

/** One request and its answer: undici's callbacks become a promise and a body. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly response: Promise<WireResponse>;
  readonly #resolve: (response: WireResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #budget: FlowBudget;
  readonly #onAbort = (): void => this.#abort();
  #controller: Dispatcher.DispatchController | undefined;
  #body: ResponseBody | undefined;

  constructor(signal: AbortSignal | undefined, budget: FlowBudget) {
    this.#budget = budget;
    const { promise, resolve, reject } = Promise.withResolvers<WireResponse>();
    this.response = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while it waited for a connection.
    if (this.#signal?.aborted === true) controller.abort(new Error('aborted'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHeaders): void {
    if (status < 200) return;
    const lengthBytes = Number(headers['content-length'] ?? Number.NaN);
    this.#body = new ResponseBody(
      controller,
      this.#budget,
      Number.isSafeInteger(lengthBytes) ? lengthBytes : undefined,
    );
    this.#resolve({ status, headers: joinHeaders(headers), body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    this.#body?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: Error): void {
    this.#settle();
    const aborted = this.#signal?.aborted === true;
    const error: unknown = aborted ? this.#signal?.reason : new TransportError(this.#controller !== undefined, cause);
    this.#body?.fail(error);
    this.#reject(error);
  }

  #abort(): void {
    const reason: unknown = this.#signal?.reason;
    this.#reject(reason);
    this.#body?.fail(reason);
    this.#controller?.abort(new Error('aborted'));
  }

  #settle(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

type IncomingHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

/** Values of headers that came several times are joined, as RFC 9110 section 5.3 allows. */
function joinHeaders(headers: IncomingHeaders): Headers {
  const joined: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) joined[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return joined;
}
