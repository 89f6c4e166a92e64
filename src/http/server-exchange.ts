import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

import type { FlowBudget } from '../base/flow-budget.ts';
import { listenerError, type ListenerErrorCode } from './error-document.ts';
import {
  HttpBodyError,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  HttpServerError,
  type RequestHeaders,
} from './exchange.ts';
import { RequestBody } from './request-body.ts';
import { createRequestId } from './request-id.ts';
import { releaseBody, ResponseWriter } from './response-writer.ts';

/** The rest of a request body that is worth reading to keep the connection. */
const drainLimitBytes = 256 * 1024;
/**
 * How long and how much is read on after an early answer before the connection is closed. Closing with unread bytes
 * makes TCP reset the connection, and the reset can overtake the answer.
 */
const lingerMs = 2000;
const lingerLimitBytes = 16 * 1024 * 1024;

/** What an exchange needs to know of its server. */
export interface ExchangeOptions {
  readonly handler: HttpHandler;
  readonly secure: boolean;
  readonly maxHeaders: number;
  readonly budget: FlowBudget;
  readonly isDraining: () => boolean;
  readonly onError: (error: HttpServerError, requestId: string) => void;
}

/** What node:http gives for one request. */
export interface NodeExchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** Builds the header record; names that repeat are joined, as SigV4 wants it. */
function collectHeaders(rawHeaders: readonly string[]): RequestHeaders {
  // Without prototype: names come from the client, and `constructor` must not be found.
  const headers: Record<string, string | undefined> = Object.create(null);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before},${value}`;
  }
  return headers;
}

function countHeader(rawHeaders: readonly string[], wanted: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === wanted) count += 1;
  }
  return count;
}

/** Whether the body's length is sure. Node's parser sees to most of it; Bun's takes a length twice, and other codings. */
function isFramed({ 'content-length': length, 'transfer-encoding': coding }: RequestHeaders): boolean {
  return length?.includes(',') !== true && (coding === undefined || coding.toLowerCase() === 'chunked');
}

/** One request and its answer: gives the handler a request, sends what it returns, leaves the connection in order. */
export class Exchange implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: RequestHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: RequestBody;
  readonly requestId: string;
  readonly remoteAddress: string;
  readonly secure: boolean;
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #writer: ResponseWriter;
  readonly #options: ExchangeOptions;
  readonly #hasBody: boolean;
  #continuePending: boolean;
  #aborted = false;
  #endLinger: (() => void) | undefined;
  // Most handlers of small requests never look at the signal: it is made when asked for.
  #controller: AbortController | undefined;

  constructor(exchange: NodeExchange, remoteAddress: string, options: ExchangeOptions) {
    const { message, response } = exchange;
    this.#message = message;
    this.#response = response;
    this.remoteAddress = remoteAddress;
    this.#writer = new ResponseWriter(response, options.budget);
    this.#options = options;
    this.#continuePending = exchange.expectsContinue;
    this.method = message.method ?? '';
    this.target = message.url ?? '';
    this.rawHeaders = message.rawHeaders;
    this.headers = collectHeaders(message.rawHeaders);
    this.requestId = createRequestId();
    this.secure = options.secure;
    const length = this.headers['content-length'];
    this.#hasBody = this.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
    this.body = new RequestBody(message, {
      empty: !this.#hasBody,
      budget: options.budget,
      onFirstPull: () => this.#continue(),
    });
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  /** Whether the request was received to its end, so that whatever follows on the connection is another one. */
  get received(): boolean {
    return this.#message.complete;
  }

  /** Whether any byte of the answer was given to the connection. */
  get answered(): boolean {
    return this.#response.headersSent;
  }

  /** Whether the client is gone. */
  get aborted(): boolean {
    return this.#aborted;
  }

  /** Stops the exchange: the client is gone or has to go. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.body.fail(new HttpBodyError('aborted', 'the client went away before the request was answered'));
    this.#controller?.abort();
    this.#writer.abandon();
    this.#endLinger?.();
  }

  /** No byte moved for the idle timeout. @returns whether the connection may live on. */
  onIdle(): boolean {
    if (this.#writer.waiting || this.#endLinger !== undefined) return false;
    if (this.body.waiting) this.body.fail(new HttpBodyError('idle_timeout', 'the client stopped sending the body'));
    return true;
  }

  /** Runs to the end of the answer or of the connection; never rejects. */
  async run(): Promise<void> {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) this.abort();
    });
    try {
      await this.#answer(await this.#handle());
    } catch (error) {
      await this.#recover(error);
    } finally {
      // Whatever nobody took is not held any longer.
      void this.body.return();
    }
  }

  async #handle(): Promise<HttpResponse> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return this.#errorResponse(refusal);
    try {
      return await this.#options.handler(this);
    } catch (cause) {
      if (cause instanceof HttpBodyError && cause.code === 'idle_timeout') return this.#errorResponse('RequestTimeout');
      if (!this.#aborted) this.#report(new HttpServerError('handler_failed', 'the handler failed', { cause }));
      return this.#errorResponse('InternalError');
    }
  }

  /** What the parser lets through but nobody should act on. */
  #refusal(): ListenerErrorCode | undefined {
    if (this.rawHeaders.length > this.#options.maxHeaders * 2) return 'RequestHeaderSectionTooLarge';
    if (countHeader(this.rawHeaders, 'host') > 1) return 'BadRequest';
    if (!isFramed(this.headers)) return 'BadRequest';
    const expect = this.headers['expect'];
    // HTTP/1.0 has no expectations; they are ignored there (RFC 9110, section 10.1.1).
    const unmet = expect !== undefined && expect.toLowerCase() !== '100-continue';
    return unmet && this.#message.httpVersionMinor > 0 ? 'ExpectationFailed' : undefined;
  }

  #errorResponse(code: ListenerErrorCode): HttpResponse {
    const { status, body } = listenerError(code, this.requestId);
    return { status, headers: { 'content-type': 'application/xml' }, body };
  }

  async #answer(answer: HttpResponse): Promise<void> {
    if (this.#aborted) return releaseBody(answer.body);
    const { keep, rest } = this.#planRest();
    const headers: OutgoingHttpHeaders = { 'x-amz-request-id': this.requestId };
    if (!keep || this.#options.isDraining()) headers['connection'] = 'close';
    await this.#writer.send(this.method, answer, headers);
    if (this.#aborted) return;
    if (rest && !keep) await this.#linger();
    await this.#writer.end();
    if (rest && keep && !this.#aborted) await this.#drainRest();
  }

  /** What is to be done about request bytes that the handler left unread. */
  #planRest(): { keep: boolean; rest: boolean } {
    if (!this.#hasBody || this.body.ended) return { keep: true, rest: false };
    // A client that was not asked to go on may send the body or leave it: nobody can tell what comes next.
    if (this.#continuePending || this.body.failed) return { keep: false, rest: true };
    const length = Number(this.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    return { keep: length - this.body.receivedBytes <= drainLimitBytes, rest: true };
  }

  #drainRest(): Promise<void> {
    return new Promise((resolve) => {
      this.#endLinger = resolve;
      this.body.discard(
        () => {},
        () => {
          this.#endLinger = undefined;
          resolve();
        },
      );
    });
  }

  /** Reads on for a while so that the client gets to read the answer; see `lingerMs`. */
  async #linger(): Promise<void> {
    let discarded = 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMs);
      const stop = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#endLinger = stop;
      this.body.discard((count) => {
        discarded += count;
        if (discarded > lingerLimitBytes) stop();
      }, stop);
    });
    this.#endLinger = undefined;
  }

  async #recover(error: unknown): Promise<void> {
    const failure =
      error instanceof HttpServerError
        ? error
        : new HttpServerError('response_refused', 'the response could not be sent', { cause: error });
    this.#report(failure);
    if (this.#aborted) return;
    if (this.#response.headersSent) {
      this.#response.destroy();
      return;
    }
    try {
      await this.#answer(this.#errorResponse('InternalError'));
    } catch {
      this.#response.destroy();
    }
  }

  #report(error: HttpServerError): void {
    this.#options.onError(error, this.requestId);
  }

  #continue(): void {
    if (!this.#continuePending) return;
    this.#continuePending = false;
    if (!this.#response.headersSent) this.#response.writeContinue();
  }
}
