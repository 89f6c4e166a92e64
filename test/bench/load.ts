/**
 * The load, in a process of its own: raw sockets that send heads signed beforehand and one shared body, and that count
 * what comes back in one buffer each. Gets a LoadJob as a message, says `ready`, waits for `go`, answers a LoadResult.
 */
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { objectContent, type LoadJob, type LoadResult } from './load-job.ts';
import { signedHead } from './sigv4.ts';

const receiveBufferBytes = 1024 * 1024;

/** One connection with one request at a time. */
class LoadConnection {
  readonly #socket: Socket;
  readonly #expectedBytes: number;
  readonly #digest: string | undefined;
  #head = '';
  #leftBytes = -1;
  #hash: Hash | undefined;
  #answered: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor({ host, port, method, objectBytes, verify }: LoadJob) {
    this.#expectedBytes = method === 'GET' ? objectBytes : 0;
    this.#digest = verify && method === 'GET' ? sha256(objectContent(objectBytes)) : undefined;
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

  async connected(): Promise<void> {
    await once(this.#socket, 'connect');
  }

  /** Sends one request and waits for the whole answer. */
  async request(head: string, body: Buffer | undefined): Promise<void> {
    this.#answered = Promise.withResolvers();
    this.#head = '';
    this.#leftBytes = -1;
    this.#hash = this.#digest === undefined ? undefined : createHash('sha256');
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    if (body !== undefined) this.#socket.write(body);
    this.#socket.uncork();
    await this.#answered.promise;
  }

  end(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #receive(bytes: Uint8Array): void {
    const body = this.#leftBytes < 0 ? this.#receiveHead(bytes) : bytes;
    if (body === undefined) return;
    this.#leftBytes -= body.length;
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
    if (!head.startsWith('HTTP/1.1 200 ') || length !== this.#expectedBytes) {
      this.#answered.reject(new Error(`unexpected answer: ${head.slice(0, 500)}`));
      return undefined;
    }
    this.#leftBytes = length;
    return bytes.subarray(end + 4 - before);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function heads(job: LoadJob, body: Buffer | undefined): string[] {
  const payloadHash = job.method === 'GET' || job.signedPayload ? sha256(body ?? Buffer.alloc(0)) : 'UNSIGNED-PAYLOAD';
  return Array.from({ length: job.keys }, (_, index) =>
    signedHead(
      {
        method: job.method,
        host: `${job.host}:${job.port}`,
        path: `/${job.bucket}/${job.objectBytes}-${index}`,
        bodyBytes: body?.length ?? 0,
        payloadHash,
      },
      job.credentials,
      new Date(),
    ),
  );
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function run(job: LoadJob): Promise<LoadResult> {
  const body = job.method === 'PUT' ? objectContent(job.objectBytes) : undefined;
  const signed = heads(job, body);
  const connections = Array.from({ length: job.connections }, () => new LoadConnection(job));
  await Promise.all(connections.map((connection) => connection.connected()));
  process.send?.('ready');
  await once(process, 'message');
  let next = 0;
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (next < job.requests) {
        const head = signed[next % signed.length] ?? '';
        next += 1;
        const sentMs = performance.now();
        await connection.request(head, body);
        latenciesMs.push(performance.now() - sentMs);
      }
    }),
  );
  const elapsedMs = performance.now() - startMs;
  for (const connection of connections) connection.end();
  latenciesMs.sort((a, b) => a - b);
  return { elapsedMs, p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) };
}

const [job] = await once(process, 'message');
const answer = await run(job).catch((error: unknown) => ({ error: String(error) }));
process.send?.(answer);
process.disconnect?.();
