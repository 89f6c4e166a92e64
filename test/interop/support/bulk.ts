/** Large objects that are made up on the way out and compared on the way in: nothing of them is kept. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';

import { randomBytesOf } from './plaintext.ts';

const blockBytes = 1024 * 1024;
const counterBytes = 8;

/** Bytes that are told apart from all others by their offset: random blocks, each with its number in front. */
export class BulkContent {
  readonly lengthBytes: number;
  readonly #block: Buffer;

  /** @param lengthBytes a whole number of MiB. */
  constructor(name: string, lengthBytes: number) {
    this.lengthBytes = lengthBytes;
    this.#block = randomBytesOf(name, blockBytes);
  }

  /** One block in two pieces. */
  piecesAt(offset: number): readonly [Buffer, Buffer] {
    return [counter(offset), this.#block.subarray(counterBytes)];
  }

  /** Fails unless `received` is what stands at `offset`. */
  check(received: Buffer, offset: number): void {
    for (let at = 0; at < received.length;) {
      const inBlock = (offset + at) % blockBytes;
      const isCounter = inBlock < counterBytes;
      const end = Math.min(received.length, at + (isCounter ? counterBytes : blockBytes) - inBlock);
      const source = isCounter ? counter(offset + at - inBlock) : this.#block;
      const difference = source.compare(received, at, end, inBlock, inBlock + end - at);
      assert.equal(difference, 0, `other bytes than were sent, near ${offset + at}`);
      at = end;
    }
  }
}

function counter(offset: number): Buffer {
  const bytes = Buffer.alloc(counterBytes);
  bytes.writeBigUInt64BE(BigInt(offset));
  return bytes;
}

/** A stop in mid-body. */
interface Pause {
  readonly pauseAtBytes?: number;
  readonly pauseMs?: number;
}

/** A PUT to a presigned URL. */
export class BulkUpload {
  readonly #request: ClientRequest;
  readonly #content: BulkContent;
  /** Resolves when the server said 200. */
  readonly done: Promise<void>;

  constructor(url: string, content: BulkContent, options: Pause = {}) {
    const headers = { 'content-length': content.lengthBytes };
    this.#content = content;
    this.#request = request(url, { method: 'PUT', headers, agent: false });
    this.done = this.#run(options);
    // Whoever waits for it hears of a failure; until then it must not end the process.
    this.done.catch(() => {});
  }

  /** Bytes that the operating system took, those of the headers included. */
  get sentBytes(): number {
    const { socket } = this.#request;
    return socket === null ? 0 : socket.bytesWritten - socket.writableLength;
  }

  async #run(options: Pause): Promise<void> {
    await Promise.all([this.#send(options), this.#answered()]);
  }

  async #send({ pauseAtBytes, pauseMs = 0 }: Pause): Promise<void> {
    for (let offset = 0; offset < this.#content.lengthBytes; offset += blockBytes) {
      if (offset === pauseAtBytes) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const [first, rest] = this.#content.piecesAt(offset);
      this.#request.write(first);
      if (!this.#request.write(rest)) await once(this.#request, 'drain');
    }
    this.#request.end();
  }

  async #answered(): Promise<void> {
    const [response]: IncomingMessage[] = await once(this.#request, 'response');
    assert.ok(response !== undefined);
    const text = Buffer.concat(await response.toArray()).toString();
    assert.equal(response.statusCode, 200, text);
  }
}

/** A GET of a presigned URL. */
export class BulkDownload {
  #receivedBytes = 0;
  #response: IncomingMessage | undefined;
  /** Resolves when every byte was received and compared. */
  readonly done: Promise<void>;

  /** @param stopAtBytes reads so many bytes and then no more until `goOn`. */
  constructor(url: string, content: BulkContent, stopAtBytes = Number.POSITIVE_INFINITY) {
    this.done = this.#receive(request(url, { agent: false }), content, stopAtBytes);
    this.done.catch(() => {});
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  goOn(): void {
    this.#response?.resume();
  }

  async #receive(sent: ClientRequest, content: BulkContent, stopAtBytes: number): Promise<void> {
    sent.end();
    const [response]: IncomingMessage[] = await once(sent, 'response');
    assert.ok(response !== undefined);
    assert.equal(response.statusCode, 200);
    this.#response = response;
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    response.on('data', (chunk: Buffer) => {
      const before = this.#receivedBytes;
      this.#receivedBytes += chunk.length;
      if (before < stopAtBytes && this.#receivedBytes >= stopAtBytes) response.pause();
      try {
        content.check(chunk, before);
      } catch (error) {
        reject(error);
        response.destroy();
      }
    });
    response.once('error', reject);
    response.once('end', resolve);
    await promise;
    assert.equal(this.#receivedBytes, content.lengthBytes);
  }
}
