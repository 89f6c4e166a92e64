import type { ByteIterator, ByteStream } from '../../base/byte-stream.ts';
import { handOver, handOverEnd, release } from '../../base/chunk-memory.ts';
import type { FlowBudget } from '../../base/flow-budget.ts';

/** A rest of at most this is read and thrown away to keep the connection; a longer one costs more than a new connection. */
const drainLimitBytes = 64 * 1024;

/** What a body needs of its connection. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** Destroys the connection. */
  abort(reason: Error): void;
}

/**
 * A response body between undici's callbacks and one consumer: chunks as they came from the socket, no copy, paused when
 * the consumer is slow. What was received before an error is given out before the error is thrown.
 */
export class ResponseBody implements ByteStream, ByteIterator {
  readonly #source: BodySource;
  readonly #budget: FlowBudget;
  readonly #chunks: Uint8Array[] = [];
  readonly #lengthBytes: number | undefined;
  #receivedBytes = 0;
  #queuedBytes = 0;
  #paused = false;
  #state: 'open' | 'draining' | 'ended' | 'failed' = 'open';
  #error: unknown;
  #waiting: (() => void) | undefined;

  /**
   * @param budget says how many bytes may wait for the consumer before the connection is paused.
   * @param lengthBytes content-length, where the answer has one.
   */
  constructor(source: BodySource, budget: FlowBudget, lengthBytes: number | undefined) {
    this.#source = source;
    this.#budget = budget;
    this.#lengthBytes = lengthBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#dequeued(chunk.length);
    if (this.#queuedBytes < this.#budget.limitBytes / 2) this.#resume();
    return chunk;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const value = this.ready();
      if (value !== undefined) return { done: false, value };
      if (this.#state === 'failed') throw this.#error;
      if (this.#state !== 'open') return { done: true, value: undefined };
      await this.#change();
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.discard();
    return { done: true, value: undefined };
  }

  /** Gives up the rest: drains a short one, destroys the connection otherwise. Never throws. */
  async discard(): Promise<void> {
    for (const chunk of this.#chunks.splice(0)) release(chunk);
    this.#dequeued(this.#queuedBytes);
    if (this.#state !== 'open') return;
    this.#state = 'draining';
    this.#wake();
    if (this.#lengthBytes === undefined || this.#lengthBytes - this.#receivedBytes > drainLimitBytes) {
      this.#state = 'ended';
      this.#source.abort(new Error('the rest of the answer is not wanted'));
      return;
    }
    this.#resume();
    while (this.#isDraining()) await this.#change();
  }

  /**
   * The whole body, for short answers.
   * @throws Error when it is longer than `maxBytes`.
   */
  async collect(maxBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let lengthBytes = 0;
    for await (const chunk of this) {
      lengthBytes += chunk.length;
      if (lengthBytes > maxBytes) throw new Error(`an answer longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    const whole = Buffer.concat(chunks, lengthBytes);
    for (const chunk of chunks) release(chunk);
    return whole;
  }

  /** Called by the connection: more bytes. */
  push(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length;
    if (this.#state === 'draining') {
      // A length that was announced wrongly or not at all must not keep the drain going.
      if (this.#receivedBytes > (this.#lengthBytes ?? 0))
        this.#source.abort(new Error('an answer longer than announced'));
      return;
    }
    if (this.#state !== 'open') return;
    // Whole chunks are as they were read from the socket; undici looks at them no more. Bodies of a known length are not coded
    // in pieces: what was read with one has nothing in front of it but the head, and nothing behind it.
    this.#chunks.push(this.#lengthBytes === undefined ? handOver(chunk) : handOverEnd(chunk));
    this.#queuedBytes += chunk.length;
    this.#budget.hold(chunk.length);
    if (this.#queuedBytes >= this.#budget.limitBytes && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
    this.#wake();
  }

  /** Called by the connection: the body is complete. */
  end(): void {
    if (this.#state === 'open' || this.#state === 'draining') this.#state = 'ended';
    this.#wake();
  }

  /** Called by the connection: no more bytes will come. */
  fail(error: unknown): void {
    if (this.#state === 'draining') this.#state = 'ended';
    if (this.#state === 'open') {
      this.#state = 'failed';
      this.#error = error;
    }
    this.#wake();
  }

  #dequeued(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#budget.letGo(bytes);
  }

  #isDraining(): boolean {
    return this.#state === 'draining';
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = resolve;
    await promise;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}
