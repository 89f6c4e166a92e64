/**
 * The least that a gateway made of these libraries does: `node:http` towards clients, undici towards the server with the gateway's
 * own sockets, and for each request the hashes and ciphers that SigV4 (twice) and format 1 ask for, on bytes that do not
 * matter. There is no code for anything else: it decides nothing, checks nothing, parses no envelope, keeps no keys, logs
 * nothing, and its answers are ciphertext. What the gateway costs above it is its own; what this costs above the bare relay is the
 * libraries' and the format's. Gets a YardstickJob as a message, answers its port.
 */
import { createCipheriv, createSecretKey, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { Pool, type Dispatcher } from 'undici/index.js';

import { FlowBudget } from '../../src/base/flow-budget.ts';
import { backendConnector } from '../../src/store/s3/backend-socket.ts';
import type { YardstickJob } from './yardstick-process.ts';

const segmentBytes = 64 * 1024;
const mostWaitingBytes = 2 ** 20;
/** HKDF: one extraction, and the keys and tags of commitment, metadata, index, message and segment. */
const derivations = 8;
/** DEK, metadata and index. */
const sealedFields = 3;

const [job]: readonly YardstickJob[] = await once(process, 'message');
if (job === undefined) throw new Error('no job');
const pool = new Pool(`http://${job.host}:${job.port}`, {
  connections: 128,
  pipelining: 1,
  allowH2: false,
  connect: backendConnector({ connectTimeoutMs: 5000, budget: new FlowBudget() }),
});

const keyBytes = randomBytes(32);
const segmentKey = createSecretKey(keyBytes);
/** Nobody but the benchmark sees what is sealed under it. */
const nonce = Buffer.alloc(12);
const field = Buffer.alloc(48);
const sha384Block = 128;
const sha256Block = 64;
const hmac384 = Buffer.alloc(sha384Block + 48);
const hmac256 = Buffer.alloc(sha256Block + 64);
const expected = Buffer.alloc(64);

function seal(key: typeof segmentKey | Buffer, bytes: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  cipher.setAAD(nonce);
  const ciphertext = cipher.update(bytes);
  cipher.final();
  cipher.getAuthTag();
  return ciphertext;
}

/** An HMAC as the gateway makes it: two hashes in one call each, the inner one as text. */
function signature(canonicalRequest: string): string {
  hmac256.write(hash('sha256', canonicalRequest, 'hex'), sha256Block);
  hmac256.write(hash('sha256', hmac256, 'latin1'), sha256Block, 'latin1');
  return hash('sha256', hmac256.subarray(0, sha256Block + 32), 'hex');
}

/** What opening or sealing an envelope and an index takes. */
function handleEnvelope(): void {
  for (let count = 0; count < derivations; count += 1) {
    hmac384.write(hash('sha384', hmac384, 'latin1'), sha384Block, 'latin1');
    hash('sha384', hmac384, 'buffer');
  }
  for (let count = 0; count < sealedFields; count += 1) seal(keyBytes, field);
  hash('sha256', field, 'hex');
}

/** Frees the memory of what was written. */
function freed(bytes: Uint8Array): () => void {
  return () => {
    if (bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength) bytes.buffer.transfer(0);
  };
}

/** Answers a client with what the server answers, encrypted. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** undici takes only handlers that have it. */
  onRequestStart(): void {}

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    handleEnvelope();
    this.#response.writeHead(status, { 'content-length': Number(headers['content-length'] ?? 0) });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const response = this.#response;
    response.cork();
    setImmediate(() => response.uncork());
    for (let start = 0; start < chunk.length; start += segmentBytes) {
      const ciphertext = seal(segmentKey, chunk.subarray(start, start + segmentBytes));
      response.write(ciphertext, freed(ciphertext));
    }
    if (response.writableLength <= mostWaitingBytes) return;
    controller.pause();
    response.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    this.#response.destroy();
  }
}

/** What is sent is as it came: what the server stores has to fit the signature. */
async function* sealedWhileSent(request: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of request) {
    freed(seal(segmentKey, chunk))();
    yield chunk;
  }
}

function dispatch(request: IncomingMessage, response: ServerResponse, headers: Record<string, string>, body?: Buffer) {
  const { method = '', url = '' } = request;
  const options = { method, path: url, headers, body: body ?? (method === 'GET' ? null : sealedWhileSent(request)) };
  // undici takes any async iterable; its types do not say so.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  pool.dispatch(options as Dispatcher.DispatchOptions, new Answer(response));
}

const server = createServer({ highWaterMark: segmentBytes, noDelay: true }, (request, response) => {
  const { method, url, rawHeaders } = request;
  const headers: Record<string, string> = {};
  let canonicalRequest = `${method}\n${url}\n`;
  for (let place = 0; place < rawHeaders.length; place += 2) {
    const [name = '', value = ''] = rawHeaders.slice(place, place + 2);
    headers[name.toLowerCase()] = value;
    canonicalRequest += `${name}:${value}\n`;
  }
  timingSafeEqual(expected, Buffer.from(signature(canonicalRequest)));
  signature(canonicalRequest);
  if (method === 'GET' || Number(headers['content-length']) > segmentBytes) return dispatch(request, response, headers);
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    randomBytes(256);
    seal(segmentKey, body);
    dispatch(request, response, headers, body);
  });
  return undefined;
}).listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.(server.address());
process.on('disconnect', () => process.exit());
