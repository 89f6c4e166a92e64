/**
 * The least that an encrypting proxy in Node does, to tell what of the gateway's cost is the runtime's: `node:http` towards
 * clients, plain TCP towards the server with as little parsing as there can be, AES-256-GCM over each 64 KiB. It checks nothing,
 * keeps no keys, stores no envelopes, logs nothing; answers are ciphertext, so they cannot be compared. Gets a YardstickJob
 * as a message, answers its port. Not a proxy for anything else: it knows answers with a length only.
 */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

import type { YardstickJob } from './yardstick-process.ts';

const segmentBytes = 64 * 1024;
/** What one read of a socket takes at most. */
const readBytes = 512 * 1024;
const mostWaitingBytes = 2 ** 20;

const [job]: readonly YardstickJob[] = await once(process, 'message');
if (job === undefined) throw new Error('no job');
const { host, port } = job;
const key = createSecretKey(randomBytes(32));
/** A relay stores nothing, so no nonce is ever used for bytes that somebody sees but the benchmark. */
const nonce = Buffer.alloc(12);

function sealed(bytes: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  const ciphertext = cipher.update(bytes);
  cipher.final();
  return ciphertext;
}

/** Frees the memory of what was written. */
function freed(bytes: Uint8Array): () => void {
  return () => {
    if (bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength) bytes.buffer.transfer(0);
  };
}

/** A connection to the server, for one request at a time. */
class Upstream {
  readonly socket: Socket;
  #response: ServerResponse | undefined;
  #head = '';
  #leftBytes = -1;

  constructor() {
    this.socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback: (length, buffer) => this.#receive(buffer.subarray(0, length)),
      },
    });
    this.socket.on('error', () => this.#response?.destroy());
    this.socket.on('close', () => {
      idle.delete(this);
      this.#response?.destroy();
    });
  }

  send(request: IncomingMessage, response: ServerResponse): void {
    this.#response = response;
    this.#head = '';
    this.#leftBytes = -1;
    const { method, url, rawHeaders } = request;
    let head = `${method} ${url} HTTP/1.1\r\n`;
    for (let place = 0; place < rawHeaders.length; place += 2) {
      head += `${rawHeaders[place]}: ${rawHeaders[place + 1]}\r\n`;
    }
    this.socket.cork();
    this.socket.write(`${head}\r\n`, 'latin1');
    process.nextTick(() => this.socket.uncork());
    request.on('data', (chunk: Buffer) => {
      // What the server stores has to fit the signature; what a gateway would send is as long.
      freed(sealed(chunk))();
      this.socket.write(chunk, freed(chunk));
      if (this.socket.writableLength <= mostWaitingBytes) return;
      request.pause();
      this.socket.once('drain', () => request.resume());
    });
  }

  /** @returns Whether there may be more at once. */
  #receive(bytes: Uint8Array): boolean {
    const response = this.#response;
    const body = this.#leftBytes < 0 ? this.#receiveHead(bytes) : bytes;
    if (response === undefined || body === undefined) return true;
    response.cork();
    for (let start = 0; start < body.length; start += segmentBytes) {
      const ciphertext = sealed(body.subarray(start, start + segmentBytes));
      response.write(ciphertext, freed(ciphertext));
    }
    response.uncork();
    this.#leftBytes -= body.length;
    if (this.#leftBytes === 0) {
      this.#response = undefined;
      response.end();
      idle.add(this);
    }
    if (response.writableLength <= mostWaitingBytes) return true;
    response.once('drain', () => this.socket.resume());
    return false;
  }

  #receiveHead(bytes: Uint8Array): Uint8Array | undefined {
    const before = this.#head.length;
    this.#head += Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 16_384)).toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = this.#head.slice(0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? '0';
    this.#leftBytes = Number(length);
    this.#response?.writeHead(Number(head.slice(9, 12)), { 'content-length': length });
    return bytes.subarray(end + 4 - before);
  }
}

const idle = new Set<Upstream>();
const server = createServer((request, response) => {
  const [upstream = new Upstream()] = idle;
  idle.delete(upstream);
  upstream.send(request, response);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.(server.address());
process.on('disconnect', () => process.exit());
