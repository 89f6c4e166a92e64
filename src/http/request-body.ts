import type { IncomingMessage } from 'node:http';

import type { ByteIterator, ByteStream } from '../base/byte-stream.ts';
import { handOver } from '../base/chunk-memory.ts';
import type { FlowBudget } from '../base/flow-budget.ts';
import { HttpBodyError } from './exchange.ts';

const ended: IteratorResult<Uint8Array, undefined> = { done: true, value: undefined };

/**
 * From this on a chunk waits for others of the same turn of the event loop: whoever reads then has all of them at hand,
 * and is woken once.
 */
const batchedBytes = 32 * 1024;

interface Waiter {
  readonly resolve: (step: IteratorResult<Uint8Array, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** How a body is received. */
export interface RequestBodyOptions {
  readonly empty: boolean;
  /** How much may be kept here before the message is paused, which itself holds up to its high-water mark beyond. */
  readonly budget: FlowBudget;
  /** Runs once, before the first byte is waited for. */
  readonly onFirstPull?: () => void;
}

/**
 * The body of an incoming message, pulled chunk by chunk. It listens to `data` (the only way that hands out chunks
 * without gathering them into a copy) and pauses the message when the consumer falls behind.
 */
export class RequestBody implements ByteStream, ByteIterator {
  readonly #message: IncomingMessage;
  readonly #onFirstPull: (() => void) | undefined;
  readonly #budget: FlowBudget;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #receivedBytes = 0;
  #started = false;
  #paused = false;
  #returned = false;
  #ended = false;
  #failure: HttpBodyError | undefined;
  #waiter: Waiter | undefined;
  #isDeliveryDue = false;

  constructor(message: IncomingMessage, options: RequestBodyOptions) {
    this.#message = message;
    this.#budget = options.budget;
    this.#onFirstPull = options.onFirstPull;
    // A message without a body may never emit `end`.
    this.#ended = options.empty;
  }

  /** Whether a pull waits for the client. */
  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  /** Whether anybody pulled. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether the message was received and taken over to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the body ended with an error. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Body bytes that arrived so far. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    const chunk = this.#queue.shift();
    if (chunk === undefined) return undefined;
    this.#dequeued(chunk.length);
    if (this.#paused && this.#queuedBytes < this.#budget.limitBytes / 2) this.#resume();
    return chunk;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#started) this.#start();
    const chunk = this.ready();
    if (chunk !== undefined) return Promise.resolve({ done: false, value: chunk });
    if (this.#failure !== undefined && !this.#returned) return Promise.reject(this.#failure);
    if (this.#ended || this.#returned) return Promise.resolve(ended);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** Stops delivering; what still arrives is left to `discard`. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#returned = true;
    this.#queue.length = 0;
    this.#dequeued(this.#queuedBytes);
    if (this.#started && !this.#ended) this.#pause();
    this.#settle()?.resolve(ended);
    return Promise.resolve(ended);
  }

  /** Ends the body with an error: a waiting pull rejects with it, else the next one. */
  fail(error: HttpBodyError): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = error;
    this.#settle()?.reject(error);
  }

  /** Lets the rest of the message flow to nowhere; `onBytes` hears the count of each chunk, `onEnd` the end. */
  discard(onBytes: (count: number) => void, onEnd: () => void): void {
    void this.return();
    this.#message.on('data', (chunk: Uint8Array) => onBytes(chunk.length));
    if (this.#message.readableEnded) onEnd();
    else this.#message.once('end', onEnd);
    this.#message.resume();
  }

  #start(): void {
    this.#started = true;
    if (this.#ended || this.#failure !== undefined) return;
    this.#onFirstPull?.();
    this.#message.on('data', (chunk: Uint8Array) => this.#take(chunk));
    this.#message.once('end', () => this.#finish());
    // An error always means that the connection broke: the message knows no other.
    this.#message.once('error', (cause) => {
      this.fail(new HttpBodyError('aborted', 'the client went away within the request body', { cause }));
    });
  }

  #take(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length;
    if (this.#returned) return;
    // node:http copied these bytes out of its parser for this one listener.
    handOver(chunk);
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    this.#budget.hold(chunk.length);
    if (this.#queuedBytes >= this.#budget.limitBytes) this.#pause();
    if (chunk.length < batchedBytes || this.#paused) this.#deliver();
    else if (!this.#isDeliveryDue) {
      this.#isDeliveryDue = true;
      setImmediate(() => {
        this.#isDeliveryDue = false;
        this.#deliver();
      });
    }
  }

  /** Wakes whoever waits, where there is something. */
  #deliver(): void {
    if (this.#waiter === undefined) return;
    const chunk = this.ready();
    if (chunk !== undefined) this.#settle()?.resolve({ done: false, value: chunk });
  }

  #dequeued(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#budget.letGo(bytes);
  }

  #finish(): void {
    this.#deliver();
    this.#ended = true;
    this.#settle()?.resolve(ended);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#message.pause();
  }

  #resume(): void {
    this.#paused = false;
    this.#message.resume();
  }

  #settle(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }
}
