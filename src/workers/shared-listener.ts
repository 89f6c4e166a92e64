import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** Where a listener is. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Accepts connections and reads nothing from them: others serve them. */
export class SharedListener implements Disposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens.
   * @param give gets each connection, paused.
   * @throws the system's error (EADDRINUSE, EACCES).
   */
  static async start({ host, port }: ListenAddress, give: (socket: Socket) => void): Promise<SharedListener> {
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      // Nobody reads here; what happens to the connection is for the process that serves it.
      socket.on('error', () => {});
      give(socket);
    });
    server.listen({ host, port });
    await once(server, 'listening');
    // Failures to accept (no file descriptors left) pass: the process must not die of them.
    server.on('error', () => {});
    return new SharedListener(server);
  }

  address(): ListenAddress {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return { host: address.address, port: address.port };
  }

  /** Accepts nothing more. What was accepted is not touched. */
  [Symbol.dispose](): void {
    this.#server.close();
  }
}
