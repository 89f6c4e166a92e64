import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { ByteIterator, ByteStream } from '../base/byte-stream.ts';
import { release } from '../base/chunk-memory.ts';
import type { FlowBudget } from '../base/flow-budget.ts';
import { TurnCork } from '../base/turn-cork.ts';
import { type HttpResponse, HttpServerError } from './exchange.ts';

/** Whether a response carries a body at all (RFC 9110, sections 6.4.1, 9.3.2). */
function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304;
}

function isStream(body: HttpResponse['body']): body is ByteStream {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}

/** Gives a body that will not be read back to its producer. */
export async function releaseBody(body: HttpResponse['body']): Promise<void> {
  if (!isStream(body)) return;
  try {
    await body[Symbol.asyncIterator]().return?.();
  } catch {
    // Nobody waits for this body any more: an error while closing it changes nothing.
  }
}

/** Breaks the connection so that no client can take what it got for the whole: a reset where TCP allows it. */
function breakConnection(response: ServerResponse): void {
  const { socket } = response;
  if (socket === null) response.destroy();
  // Every socket of Bun's HTTP server has this property.
  else if ('encrypted' in socket && socket.encrypted === true) socket.destroy();
  else (socket satisfies Socket).resetAndDestroy();
}

/**
 * Sends one response through a ServerResponse, with backpressure, counting the bytes of its body.
 * The connection is broken when the body throws or is not as long as announced: the last bytes leave only after the
 * body said that it is complete, so a client never holds a whole answer that was disowned afterwards.
 */
export class ResponseWriter {
  readonly #response: ServerResponse;
  readonly #cork: TurnCork;
  readonly #budget: FlowBudget;
  #waiting = false;
  #wake: (() => void) | undefined;
  #listensToDrain = false;
  #releaseRunning: (() => void) | undefined;
  #gone = false;

  constructor(response: ServerResponse, budget: FlowBudget) {
    this.#response = response;
    this.#budget = budget;
    this.#cork = new TurnCork(response);
    // Writing to a connection that just went away is no fault of ours; `close` tells of it.
    response.on('error', () => {});
  }

  /** Whether progress is up to the client: bytes wait for it to read. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** The client is gone: whoever waits for it goes on, and the running body is returned to its producer. */
  abandon(): void {
    this.#gone = true;
    this.#wake?.();
    this.#releaseRunning?.();
  }

  /**
   * Sends the head and the body, up to but not including the end of the message.
   * @throws HttpServerError `response_refused` before anything was sent; `body_failed` and `body_length_mismatch`
   *   after the connection was broken.
   */
  async send(method: string, answer: HttpResponse, extraHeaders: OutgoingHttpHeaders): Promise<void> {
    const { body, status } = answer;
    const headers: OutgoingHttpHeaders = { ...answer.headers, ...extraHeaders };
    if (!mayHaveBody(method, status)) {
      if (status === 204) delete headers['content-length'];
      await releaseBody(body);
      if (this.#gone) return;
      this.#writeHead(status, headers);
      this.#response.flushHeaders();
      return;
    }
    if (isStream(body)) return this.#sendStream(status, headers, body);
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array(0));
    const announced = headers['content-length'];
    if (announced !== undefined && Number(announced) !== bytes.length) {
      throw new HttpServerError('response_refused', `content-length ${announced} for a body of ${bytes.length} bytes`);
    }
    headers['content-length'] = String(bytes.length);
    this.#writeHead(status, headers);
    if (bytes.length === 0) this.#response.flushHeaders();
    else if (!this.#response.write(bytes)) await this.#drained();
  }

  /** Ends the message; resolves when it was handed to the operating system or the connection is gone. */
  async end(): Promise<void> {
    this.#cork.letGo();
    const response = this.#response;
    if (response.closed || response.destroyed) return;
    this.#waiting = true;
    await new Promise((resolve) => {
      response.once('close', resolve);
      response.end();
    });
    this.#waiting = false;
  }

  async #sendStream(status: number, headers: OutgoingHttpHeaders, body: ByteStream): Promise<void> {
    const iterator = body[Symbol.asyncIterator]();
    const release = (): void => {
      // Not awaited: a producer that is stuck must not hold up the end of the exchange.
      void iterator.return?.().then(undefined, () => {});
    };
    this.#releaseRunning = release;
    let finished = false;
    try {
      await this.#pump(status, headers, iterator);
      finished = !this.#gone;
    } catch (error) {
      if (this.#gone) return;
      if (error instanceof HttpServerError && error.code === 'response_refused') throw error;
      // What was authenticated leaves first: a client that gets no head cannot tell which answer broke.
      this.#cork.letGo();
      breakConnection(this.#response);
      if (error instanceof HttpServerError) throw error;
      throw new HttpServerError('body_failed', 'the response body failed: the connection was broken', { cause: error });
    } finally {
      this.#releaseRunning = undefined;
      // A body that ended or threw by itself takes a further `return` without effect.
      if (!finished && !this.#gone) release();
    }
  }

  async #pump(status: number, headers: OutgoingHttpHeaders, iterator: ByteIterator): Promise<void> {
    const announced = headers['content-length'];
    const expected = announced === undefined ? Number.POSITIVE_INFINITY : Number(announced);
    if (!(expected >= 0)) throw new HttpServerError('response_refused', 'content-length is not a number');
    let sent = 0;
    // The first chunk is awaited before the head is written: both leave in one system call.
    let step = await iterator.next();
    if (this.#gone) return;
    this.#writeHead(status, headers);
    while (step.done !== true) {
      const chunk = step.value;
      sent += chunk.length;
      if (sent > expected) throw lengthMismatch(expected, `at least ${sent}`);
      if (sent === expected) {
        step = await this.#confirmEnd(iterator, expected);
        if (this.#gone) return;
        if (!this.#write(chunk)) await this.#drained();
        return;
      }
      const isFirst = sent === chunk.length;
      // An await costs a turn of the microtask queue: taken only where the client has to be waited for.
      if (chunk.length > 0 && !this.#write(chunk)) await this.#drained();
      if (this.#gone) return;
      // The client has its first byte while what else is at hand is made ready.
      if (isFirst) this.#cork.letGo();
      step = readyStep(iterator) ?? (await iterator.next());
      if (this.#gone) return;
    }
    if (expected !== Number.POSITIVE_INFINITY && sent !== expected) throw lengthMismatch(expected, String(sent));
    if (sent === 0) this.#response.flushHeaders();
  }

  /** Frees the chunk when it was handed to the operating system. @returns Whether there is room for more. */
  #write(chunk: Uint8Array): boolean {
    const { length } = chunk;
    this.#cork.hold();
    this.#budget.hold(length);
    const response = this.#response;
    const hasRoom = response.write(chunk, (error) => {
      this.#budget.letGo(length);
      if (error === undefined || error === null) release(chunk);
    });
    // Past its own mark, which is below every limit, the response will say when it is empty.
    if (hasRoom || response.writableLength < this.#budget.limitBytes) return true;
    this.#cork.letGo();
    return false;
  }

  async #confirmEnd(iterator: AsyncIterator<Uint8Array>, expected: number): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      const step = await iterator.next();
      if (step.done === true) return step;
      if (step.value.length > 0) throw lengthMismatch(expected, `at least ${expected + step.value.length}`);
    }
  }

  #writeHead(status: number, headers: OutgoingHttpHeaders): void {
    try {
      this.#response.writeHead(status, dispositionFirst(headers));
    } catch (cause) {
      throw new HttpServerError('response_refused', 'the status or a header cannot be sent', { cause });
    }
  }

  /** Resolves when the buffers have room again or the client is gone. */
  async #drained(): Promise<void> {
    if (!this.#listensToDrain) {
      this.#listensToDrain = true;
      this.#response.on('drain', () => this.#wake?.());
    }
    this.#waiting = true;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.#waiting = false;
  }
}

/** Behind a Content-Length node:http encodes Content-Disposition anew, which changes every byte above 0x7f. */
function dispositionFirst(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const { 'content-disposition': disposition } = headers;
  return disposition === undefined ? headers : { 'content-disposition': disposition, ...headers };
}

/** A step without a promise, where the chunk is at hand. */
function readyStep(iterator: ByteIterator): IteratorResult<Uint8Array> | undefined {
  const value = iterator.ready?.();
  return value === undefined ? undefined : { done: false, value };
}

function lengthMismatch(expected: number, got: string): HttpServerError {
  return new HttpServerError('body_length_mismatch', `response body of ${got} bytes for content-length ${expected}`);
}
