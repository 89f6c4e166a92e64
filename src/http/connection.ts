import type { Socket } from 'node:net';

import { Exchange, type ExchangeOptions, type NodeExchange } from './server-exchange.ts';

/** Requests that a client may send ahead of their answers. No S3 client does; each one holds memory. */
const maxPipelined = 16;

/**
 * One client connection: runs its requests one after the other, however many the client sends ahead, and knows
 * whether silence on it is the client's.
 */
export class Connection {
  readonly socket: Socket;
  readonly #options: ExchangeOptions;
  /** Read at once: a closed socket does not know it any more. */
  readonly #remoteAddress: string;
  readonly #queue: Exchange[] = [];
  #current: Exchange | undefined;
  /** Where the last request ended: no byte beyond it means that the connection is idle. */
  #bytesAtLastEnd: number;
  #closeWhenAnswered = false;

  constructor(socket: Socket, options: ExchangeOptions) {
    this.socket = socket;
    this.#options = options;
    this.#remoteAddress = socket.remoteAddress ?? '';
    this.#bytesAtLastEnd = socket.bytesRead;
    // Header values are bytes as Latin-1 text. The head of an answer without a body goes to the socket as a text with no
    // encoding named; by default it would be written as UTF-8, and every byte above 0x7f become two.
    socket.setDefaultEncoding('latin1');
  }

  /** The request that is being answered. */
  get current(): Exchange | undefined {
    return this.#current;
  }

  /** Takes the next request. Where that begins a run of requests, answers its end, which never rejects. */
  accept(next: NodeExchange): Promise<void> | undefined {
    if (this.#queue.length >= maxPipelined) {
      this.socket.destroy();
      return undefined;
    }
    const exchange = new Exchange(next, this.#remoteAddress, this.#options);
    if (this.#current === undefined) return this.#run(exchange);
    this.#queue.push(exchange);
    return undefined;
  }

  /** No byte moved for the idle timeout: ends what waits for the client, leaves alone what waits for us. */
  onIdle(idleTimeoutMs: number): void {
    if (this.#current === undefined || !this.#current.onIdle()) this.socket.destroy();
    else this.socket.setTimeout(idleTimeoutMs);
  }

  /** The socket closed: whatever runs or waits on this connection is over. */
  onClose(): void {
    this.#current?.abort();
    this.#queue.length = 0;
  }

  /** Takes no further request: the connection ends after the answers that are due. */
  closeWhenAnswered(): void {
    this.#closeWhenAnswered = true;
  }

  /** Ends the connection now where no request is on it, not even the beginning of one. */
  closeIfIdle(): void {
    if (this.#current === undefined && this.socket.bytesRead === this.#bytesAtLastEnd) this.socket.destroy();
  }

  async #run(first: Exchange): Promise<void> {
    for (let next: Exchange | undefined = first; next !== undefined; next = this.#queue.shift()) {
      this.#current = next;
      await next.run();
      if (next.aborted) break;
    }
    this.#current = undefined;
    this.#bytesAtLastEnd = this.socket.bytesRead;
    if (this.#closeWhenAnswered) this.socket.destroySoon();
    else if (this.#options.isDraining()) this.closeIfIdle();
  }
}
