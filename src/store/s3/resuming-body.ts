import type { ByteIterator, ByteStream } from '../../base/byte-stream.ts';
import { s3Error } from '../../s3/s3-error.ts';
import type { ResponseBody } from './response-body.ts';

/** How a broken body is taken up again: gives the bytes from `offsetBytes` (in the body) on, of the same object. */
export type Reopen = (offsetBytes: number) => Promise<ResponseBody>;

interface ResumingBodyOptions {
  readonly first: ResponseBody;
  readonly lengthBytes: number;
  /** Undefined where the object has no ETag to recognise it by. */
  readonly reopen: Reopen | undefined;
  /** Attempts without a byte of progress before giving up. */
  readonly retries: number;
  readonly signal: AbortSignal | undefined;
  /** Called before each attempt; waits. */
  readonly pause: (attempt: number, error: unknown) => Promise<void>;
}

/**
 * The body of a GET that goes on where the connection broke, unseen by its consumer. It gives exactly `lengthBytes` bytes or
 * throws. A consumer that stops releases the connection.
 */
export class ResumingBody implements ByteStream, ByteIterator {
  readonly #options: ResumingBodyOptions;
  #current: ResponseBody;
  #givenBytes = 0;
  #failedAttempts = 0;
  #closed = false;
  /** Taken, though it is more than there may be: for `next` to refuse. */
  #surplus: Uint8Array | undefined;

  constructor(options: ResumingBodyOptions) {
    this.#options = options;
    this.#current = options.first;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    if (this.#closed || this.#surplus !== undefined) return undefined;
    const chunk = this.#current.ready();
    if (chunk === undefined) return undefined;
    if (this.#givenBytes + chunk.length > this.#options.lengthBytes) this.#surplus = chunk;
    return this.#surplus === undefined ? this.#give(chunk).value : undefined;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#surplus !== undefined && !this.#closed) return this.#give(this.#surplus);
    while (!this.#closed) {
      const step = await this.#step();
      if ('chunk' in step) return this.#give(step.chunk);
      if (step.error === undefined) {
        this.#closed = true;
        break;
      }
      await this.#recover(step.error);
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.discard();
    return { done: true, value: undefined };
  }

  /** Gives up the rest; never throws. */
  async discard(): Promise<void> {
    this.#closed = true;
    await this.#current.discard();
  }

  #give(chunk: Uint8Array): IteratorResult<Uint8Array, undefined> {
    this.#givenBytes += chunk.length;
    this.#failedAttempts = 0;
    if (this.#givenBytes <= this.#options.lengthBytes) return { done: false, value: chunk };
    this.#closed = true;
    void this.#current.discard();
    throw s3Error('InternalError', 'The storage backend sent more bytes than it announced.');
  }

  async #step(): Promise<{ readonly chunk: Uint8Array } | { readonly error: unknown }> {
    try {
      const { done, value } = await this.#current.next();
      if (done !== true) return { chunk: value };
      const missingBytes = this.#options.lengthBytes - this.#givenBytes;
      return { error: missingBytes === 0 || this.#closed ? undefined : new Error(`${missingBytes} bytes are missing`) };
    } catch (error) {
      return { error };
    }
  }

  /** Opens the rest of the body, or throws for good. */
  async #recover(cause: unknown): Promise<void> {
    const { signal, reopen, retries, pause } = this.#options;
    let error = cause;
    try {
      for (;;) {
        signal?.throwIfAborted();
        this.#failedAttempts++;
        if (reopen === undefined || this.#failedAttempts > retries) throw brokenOff(error);
        await pause(this.#failedAttempts, error);
        try {
          this.#current = await reopen(this.#givenBytes);
          break;
        } catch (failure) {
          if (!isPassing(failure)) throw failure;
          error = failure;
        }
      }
    } catch (failure) {
      this.#closed = true;
      throw failure;
    }
    // Discarded while it was being opened.
    if (this.#closed) await this.#current.discard();
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' && error.status >= 500;
}

function brokenOff(cause: unknown): Error {
  return s3Error('ServiceUnavailable', 'The storage backend broke off in the middle of the object.', { cause });
}
