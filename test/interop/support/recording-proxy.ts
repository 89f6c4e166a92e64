/** An HTTP proxy between gateway and backend that keeps the bodies of part uploads: what the provider could have kept. */
import { createServer, request, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';

import type { Workspace } from './workspace.ts';

/** A part as it went to the backend. */
export interface RecordedPart {
  readonly key: string;
  readonly partNumber: number;
  readonly body: Buffer;
}

/** Forwards every byte unchanged; signatures stay valid, as the Host header is passed on too. */
export class RecordingProxy implements AsyncDisposable {
  readonly endpoint: string;
  /** In the order in which the backend answered. */
  readonly parts: readonly RecordedPart[];
  readonly #server: HttpServer;

  private constructor(server: HttpServer, parts: readonly RecordedPart[]) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    this.endpoint = `http://127.0.0.1:${address.port}`;
    this.parts = parts;
    this.#server = server;
  }

  static async start(target: string, workspace: Workspace): Promise<RecordingProxy> {
    const parts: RecordedPart[] = [];
    const server = createServer((incoming, answer) => forward(target, incoming, answer, parts));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return workspace.use(new RecordingProxy(server, parts));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

function forward(target: string, incoming: IncomingMessage, answer: ServerResponse, parts: RecordedPart[]): void {
  const { hostname, port } = new URL(target);
  const { method, url = '/', rawHeaders } = incoming;
  const outgoing = request({ hostname, port, method, path: url, headers: rawHeaders });
  const recorded = recorder(incoming);
  outgoing.on('response', (received) => {
    const part = recorded();
    if (part !== undefined && received.statusCode === 200) parts.push(part);
    answer.writeHead(received.statusCode ?? 502, received.rawHeaders);
    received.pipe(answer);
    received.on('error', () => answer.destroy());
  });
  outgoing.on('error', () => answer.destroy());
  incoming.on('error', () => outgoing.destroy());
  answer.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

/** Gathers the body of a part upload; of any other request nothing. */
function recorder(incoming: IncomingMessage): () => RecordedPart | undefined {
  const url = new URL(incoming.url ?? '/', 'http://backend');
  const partNumber = url.searchParams.get('partNumber');
  if (incoming.method !== 'PUT' || partNumber === null) return () => undefined;
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'));
  return () => ({ key, partNumber: Number(partNumber), body: Buffer.concat(chunks) });
}
