/** A TCP proxy between gateway and backend that counts the bytes of both directions, and requests. */
import { connect, createServer, type Server, type Socket } from 'node:net';

import type { Workspace } from './workspace.ts';

/** Forwards every byte unchanged. */
export class CountingProxy implements AsyncDisposable {
  readonly endpoint: string;
  #bytes = 0;
  #requests = 0;
  #isHeld = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    this.endpoint = `http://127.0.0.1:${address.port}`;
    this.#server = server;
  }

  /** Listens in front of the server at `target`. */
  static async start(target: string, workspace: Workspace): Promise<CountingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const proxy = new CountingProxy(server);
    server.on('connection', (client) => proxy.#join(client, connect(Number(port), hostname)));
    return workspace.use(proxy);
  }

  /** Bytes that passed, in both directions together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Requests that passed; each begins a chunk of its own, as the gateway writes them. */
  get requests(): number {
    return this.#requests;
  }

  /** Takes no more bytes from either side until `goOn`. */
  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  goOn(): void {
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #join(client: Socket, backend: Socket): void {
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk: Buffer) => {
        this.#bytes += chunk.length;
        if (from === client && isRequest(chunk)) this.#requests += 1;
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => {
        if (!this.#isHeld) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => this.#sockets.delete(from));
    }
  }
}

function isRequest(chunk: Buffer): boolean {
  return /^[A-Z]+ \/\S* HTTP\/1\.1\r\n/.test(chunk.toString('latin1', 0, 4096));
}
