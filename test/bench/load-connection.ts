import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { contentDigest, type LoadJob } from './load-job.ts';

const receiveBufferBytes = 1024 * 1024;

/** How long one request took. */
interface Answer {
  readonly elapsedMs: number;
  /** Until the first byte of the body came, or the end of an answer without one. */
  readonly firstByteMs: number;
}

/** One connection with one request at a time, which counts what comes back in one buffer. */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #expectedBytes: number;
  readonly #status: string;
  readonly #digest: string | undefined;
  #head = '';
  #leftBytes = -1;
  #receivedBytes = 0;
  #firstByteMs = 0;
  #hash: Hash | undefined;
  #answered: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor({ host, port, method, objectBytes, rangeBytes, verify }: LoadJob) {
    this.#expectedBytes = method === 'GET' ? (rangeBytes ?? objectBytes) : 0;
    this.#status = `HTTP/1.1 ${rangeBytes === undefined ? 200 : 206} `;
    this.#digest = verify && method === 'GET' ? contentDigest(objectBytes) : undefined;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(receiveBufferBytes),
        callback: (length, buffer) => {
          this.#receive(buffer.subarray(0, length));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#answered.reject(error));
    this.#socket.on('close', () => this.#answered.reject(new Error('the server closed the connection')));
  }

  /** Bytes of bodies in both directions, nearly: of what is sent with the heads. */
  get movedBytes(): number {
    return this.#receivedBytes + (this.#expectedBytes === 0 ? this.#socket.bytesWritten : 0);
  }

  async connected(): Promise<void> {
    await once(this.#socket, 'connect');
  }

  /** Sends one request, its body `repeats` times the bytes of `content`, and waits for the whole answer. */
  async request(head: string, content: Buffer | undefined, repeats: number): Promise<Answer> {
    const sentMs = performance.now();
    this.#answered = Promise.withResolvers();
    this.#head = '';
    this.#leftBytes = -1;
    this.#firstByteMs = 0;
    this.#hash = this.#digest === undefined ? undefined : createHash('sha256');
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    if (content !== undefined) this.#socket.write(content);
    this.#socket.uncork();
    await Promise.race([this.#repeat(content, repeats - 1), this.#answered.promise]);
    await this.#answered.promise;
    return { elapsedMs: performance.now() - sentMs, firstByteMs: this.#firstByteMs - sentMs };
  }

  /** Ends it, in mid-request where there is one: that one fails. */
  end(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
    this.#answered.promise.catch(() => undefined);
    this.#answered.reject(new Error('cut at the end of the time'));
  }

  async #repeat(content: Buffer | undefined, times: number): Promise<void> {
    if (content === undefined) return;
    for (let sent = 0; sent < times; sent += 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      // An error is seen by its listener.
      this.#socket.write(content, () => resolve());
      await promise;
    }
  }

  #receive(bytes: Uint8Array): void {
    const body = this.#leftBytes < 0 ? this.#receiveHead(bytes) : bytes;
    if (body === undefined) return;
    if (this.#firstByteMs === 0 && (body.length > 0 || this.#leftBytes === 0)) this.#firstByteMs = performance.now();
    this.#leftBytes -= body.length;
    this.#receivedBytes += body.length;
    this.#hash?.update(body);
    if (this.#leftBytes < 0) this.#answered.reject(new Error('the answer is longer than it said'));
    if (this.#leftBytes > 0) return;
    if (this.#hash !== undefined && this.#hash.digest('hex') !== this.#digest) {
      this.#answered.reject(new Error('the answer has other bytes than were stored'));
    }
    this.#answered.resolve();
  }

  #receiveHead(bytes: Uint8Array): Uint8Array | undefined {
    const before = this.#head.length;
    this.#head += Buffer.from(bytes).toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = this.#head.slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (!head.startsWith(this.#status) || length !== this.#expectedBytes) {
      this.#answered.reject(new Error(`unexpected answer: ${head.slice(0, 500)}`));
      return undefined;
    }
    this.#leftBytes = length;
    return bytes.subarray(end + 4 - before);
  }
}
