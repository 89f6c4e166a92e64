/** A TCP relay that can be taken down and put up again, on the same port: a network that fails, with the server well. */
import { connect, createServer, type Server, type Socket } from 'node:net';

import type { Workspace } from './workspace.ts';

/** Forwards connections to one server. */
export class Relay implements AsyncDisposable {
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  private constructor(target: string) {
    const { hostname, port } = new URL(target);
    this.#target = { hostname, port: Number(port) };
  }

  /** Listens in front of the server at `target`. */
  static async start(target: string, workspace?: Workspace): Promise<Relay> {
    const relay = new Relay(target);
    await relay.up();
    return workspace === undefined ? relay : workspace.use(relay);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Accepts connections again. */
  async up(): Promise<void> {
    const server = createServer((client) => this.#join(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay does not listen');
    this.#port = address.port;
    this.#server = server;
  }

  /** Breaks all connections and refuses new ones. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #join(client: Socket): void {
    const server = connect(this.#target.port, this.#target.hostname);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
