import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

import type { Listener } from './gateway.ts';
import { S3Response } from './response.ts';

/** Nothing that a test waits for takes this long, however busy the machine. */
const patienceMs = 60_000;

/** A TCP or TLS connection whose every byte, in both directions, is in the test's hands. */
export class RawConnection implements Disposable {
  readonly socket: Socket;
  isClosed = false;
  /** What the operating system said when the connection broke, such as ECONNRESET. */
  failure: string | undefined;
  #chunks: Buffer[] = [];
  #receivedBytes = 0;
  #change: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#receivedBytes += chunk.length;
      this.#change();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failure = error.code ?? error.message;
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#change();
    });
  }

  static async open(listener: Listener, tls?: ConnectionOptions): Promise<RawConnection> {
    const socket =
      tls === undefined
        ? connect({ ...listener, allowHalfOpen: true, noDelay: true })
        : connectTls({ ...listener, ...tls });
    await once(socket, tls === undefined ? 'connect' : 'secureConnect');
    return new RawConnection(socket);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  /** Bytes received that no answer took yet. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  write(data: string | Uint8Array): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  /** Takes the next answer out of what was received, `100 Continue` included; waits for all of it. */
  async answer(method = 'GET'): Promise<S3Response> {
    const head = await this.#head();
    const { status, headers } = head;
    if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
      return new S3Response(status, headers, Buffer.alloc(0));
    }
    if (headers['transfer-encoding'] === 'chunked') return new S3Response(status, headers, await this.#chunked());
    const length = headers['content-length'];
    if (length === undefined) throw new Error('an answer without a length');
    await this.#until(() => this.#receivedBytes >= Number(length), `${length} bytes of a body`);
    return new S3Response(status, headers, this.#take(Number(length)));
  }

  /** Waits for the end of the connection. */
  async closed(): Promise<void> {
    const done = (): boolean => {
      // The test is done with writing too: a half-open connection would stay.
      if (this.socket.readableEnded) this.socket.end();
      return this.isClosed;
    };
    await this.#until(done, 'the end of the connection');
  }

  async #head(): Promise<{ readonly status: number; readonly headers: Record<string, string> }> {
    const [statusLine = '', ...lines] = (await this.#upTo('\r\n\r\n')).toString('utf8').trimEnd().split('\r\n');
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(statusLine) ?? [];
    if (status === undefined) throw new Error(`not a status line: ${statusLine}`);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:]+):[ \t]*(.*)$/s.exec(line) ?? [];
      const before = headers[name.toLowerCase()];
      headers[name.toLowerCase()] = before === undefined ? value : `${before}, ${value}`;
    }
    return { status: Number(status), headers };
  }

  /** A body in chunks (RFC 9112 section 7.1), without extensions and trailers. */
  async #chunked(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const [, size] = /^([0-9a-f]+)\r\n$/i.exec((await this.#upTo('\r\n')).toString()) ?? [];
      if (size === undefined) throw new Error('not the size of a chunk');
      const length = Number.parseInt(size, 16);
      await this.#until(() => this.#receivedBytes >= length + 2, `${length} bytes of a chunk`);
      chunks.push(this.#take(length));
      if (this.#take(2).toString() !== '\r\n') throw new Error('not the end of a chunk');
      if (length === 0) return Buffer.concat(chunks);
    }
  }

  /** Takes everything up to and with a text. */
  async #upTo(text: string): Promise<Buffer> {
    let at = -1;
    const found = (): boolean => {
      if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
      at = this.#chunks[0]?.indexOf(text) ?? -1;
      return at >= 0;
    };
    await this.#until(found, JSON.stringify(text));
    return this.#take(at + text.length);
  }

  #take(length: number): Buffer {
    const all = Buffer.concat(this.#chunks);
    const taken = all.subarray(0, length);
    this.#chunks = all.length > length ? [all.subarray(length)] : [];
    this.#receivedBytes = all.length - length;
    return taken;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while (!condition()) {
      if (this.isClosed || (this.socket.readableEnded && what !== 'the end of the connection')) {
        const received = Buffer.concat(this.#chunks).toString('latin1').slice(0, 500);
        throw new Error(`no ${what}: closed (${this.failure ?? 'in order'}) after ${JSON.stringify(received)}`);
      }
      if (Date.now() > deadline) throw new Error(`waited too long for ${what}`);
      await this.#changed();
    }
  }

  async #changed(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 200);
      this.#change = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

type HeaderFields = readonly (readonly [name: string, value: string])[];

/** A request line and header fields as they stand on the wire; text becomes UTF-8. */
export function requestHead(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> | HeaderFields,
): Buffer {
  const fields: HeaderFields = isList(headers) ? headers : Object.entries(headers);
  return Buffer.from(
    `${method} ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
}

function isList(headers: Readonly<Record<string, string>> | HeaderFields): headers is HeaderFields {
  return Array.isArray(headers);
}
