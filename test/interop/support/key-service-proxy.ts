/** An HTTP proxy in front of a key service that counts its calls, by what each asks for, and sees the keys that pass. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

import { Pool } from 'undici';

import type { Workspace } from './workspace.ts';

/** Forwards requests whole. */
export class KeyServiceProxy implements AsyncDisposable {
  /** Of each call: AWS's operation, or Vault's path below `/v1/`. */
  readonly calls: string[] = [];
  /** Keys in clear that were given to be wrapped, or came back unwrapped. */
  readonly seenKeys = new Set<string>();
  endpoint = '';
  readonly #upstream: Pool;
  readonly #server: Server;

  private constructor(target: string) {
    this.#upstream = new Pool(target, { connections: 64 });
    this.#server = createServer((request, response) => void this.#forward(request, response));
  }

  /** Listens in front of the service at `target`. */
  static async start(target: string, workspace: Workspace): Promise<KeyServiceProxy> {
    const proxy = workspace.use(new KeyServiceProxy(target));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    const address = proxy.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    proxy.endpoint = `http://127.0.0.1:${address.port}`;
    return proxy;
  }

  /** How many calls asked for what the pattern fits. */
  count(pattern: RegExp): number {
    return this.calls.filter((call) => pattern.test(call)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#upstream.destroy();
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const path = request.url ?? '/';
    this.calls.push(String(request.headers['x-amz-target'] ?? path.replace(/^\/v1\//, '')));
    this.#noteKey(body);
    const { connection: _, 'transfer-encoding': __, expect: ___, 'keep-alive': ____, ...headers } = request.headers;
    try {
      const answer = await this.#upstream.request({
        method: request.method === 'GET' ? 'GET' : 'POST',
        path,
        headers,
        body,
      });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      this.#noteKey(bytes);
      response.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(bytes);
    } catch {
      response.destroy();
    }
  }

  /** AWS calls it `Plaintext`, Vault `plaintext`; both in base64. */
  #noteKey(bytes: Buffer): void {
    const key = /"plaintext":\s*"([A-Za-z0-9+/=]{43,44})"/i.exec(bytes.toString('utf8'))?.[1];
    if (key !== undefined) this.seenKeys.add(key);
  }
}
