import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { HttpServer, type HttpServerOptions } from '../../../src/http/server.ts';

/** A plain TCP client that sees every byte and every way in which a connection can end. */
export class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  ended = false;
  error: Error | undefined;
  #change: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#change();
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.ended = true;
      this.#change();
    });
  }

  static async connect(server: Pick<HttpServer, 'address'>): Promise<RawClient> {
    const { host, port } = server.address();
    const socket = connect({ host, port });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Waits until `condition` holds for what was received. */
  async until(condition: (client: RawClient) => boolean): Promise<this> {
    while (!condition(this)) {
      if (this.ended) throw new Error(`connection closed early; got ${JSON.stringify(this.text.slice(0, 500))}`);
      await new Promise<void>((resolve) => {
        this.#change = resolve;
      });
    }
    return this;
  }

  /** Waits for the end of the connection; returns everything that came. */
  async closed(): Promise<string> {
    while (!this.ended) {
      await new Promise<void>((resolve) => {
        this.#change = resolve;
      });
    }
    return this.text;
  }

  /** Waits for `count` complete answers with content-length bodies. */
  async answers(count: number): Promise<{ head: string; body: string }[]> {
    let found = splitAnswers(this.text);
    while (found.length < count) {
      const before = this.received.length;
      await this.until((client) => client.received.length > before);
      found = splitAnswers(this.text);
    }
    return found;
  }
}

function splitAnswers(text: string): { head: string; body: string }[] {
  const answers: { head: string; body: string }[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return answers;
    const head = rest.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length < length) return answers;
    answers.push({ head, body });
    rest = rest.slice(end + 4 + length);
  }
}

/** A server on a free port of the loopback interface, drained when the scope ends. */
export async function startServer(
  options: Pick<HttpServerOptions, 'handler'> & Partial<HttpServerOptions>,
): Promise<HttpServer & AsyncDisposable> {
  const server = await HttpServer.start({
    host: '127.0.0.1',
    port: 0,
    drainTimeoutMs: 200,
    abortGraceMs: 50,
    ...options,
  });
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() });
}

/** A promise that is settled from outside. */
export function deferred<T>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>();
}
