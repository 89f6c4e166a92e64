import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** An HTTP server on the loopback interface that can go away and come back on the same port. */
export abstract class FakeServer implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.serve(request, response));
  #port = 0;

  /** `http://`, host and port. */
  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the fake does not listen');
    this.#port = address.port;
  }

  /** Breaks all connections and refuses new ones. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  protected abstract serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
}
