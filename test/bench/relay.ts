/**
 * A TCP relay in a process of its own: counts the requests of what passes, delays it, and lets through so many bytes a
 * second in each direction, over all connections. Gets a RelayJob as a message and answers its port; on `count` it answers
 * how many requests passed, which are right where requests have no body.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

import type { RelayJob } from './relay-process.ts';

/** A direction holds no more of one connection; more than what is on its way at 1 Gbit/s within 20 ms. */
const longestQueueBytes = 4 * 2 ** 20;

const [job]: readonly RelayJob[] = await once(process, 'message');
if (job === undefined) throw new Error('no job');
let requests = 0;

/** One direction of the line, which all connections share. */
class Line {
  readonly #delayMs: number;
  readonly #bytesPerMs: number;
  #freeAtMs = 0;

  constructor({ delayMs, bytesPerSecond = Number.POSITIVE_INFINITY }: RelayJob) {
    this.#delayMs = delayMs;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** When bytes that enter now come out at the other end. */
  enter(lengthBytes: number): number {
    this.#freeAtMs = Math.max(performance.now(), this.#freeAtMs) + lengthBytes / this.#bytesPerMs;
    return this.#freeAtMs + this.#delayMs;
  }
}

/** What is on its way in one direction of one connection; it comes out in the order in which it went in. */
class Queue {
  readonly #waiting: { readonly dueMs: number; readonly act: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(dueMs: number, act: () => void): void {
    this.#waiting.push({ dueMs, act });
    if (this.#timer === undefined) this.#deliver();
  }

  #deliver(): void {
    this.#timer = undefined;
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const leftMs = first.dueMs - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#deliver(), leftMs);
        return;
      }
      this.#waiting.shift();
      first.act();
    }
  }
}

function pipe(from: Socket, to: Socket, line: Line, seen: (chunk: Buffer) => void): void {
  const queue = new Queue();
  let queuedBytes = 0;
  from.on('data', (chunk: Buffer) => {
    seen(chunk);
    queuedBytes += chunk.length;
    if (queuedBytes > longestQueueBytes) from.pause();
    queue.add(line.enter(chunk.length), () => {
      to.write(chunk, () => {
        queuedBytes -= chunk.length;
        if (queuedBytes <= longestQueueBytes) from.resume();
      });
    });
  });
  from.on('end', () => queue.add(line.enter(0), () => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => queue.add(line.enter(0), () => to.destroySoon()));
}

/** Counts the ends of heads, also of those that come in pieces. */
function headCounter(): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const text = rest + chunk.toString('latin1');
    requests += text.split('\r\n\r\n').length - 1;
    rest = /(\r\n\r|\r\n|\r)$/.exec(text)?.[0] ?? '';
  };
}

const towards = new Line(job);
const back = new Line(job);
const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const upstream = connect({ host: job.host, port: job.port, noDelay: true, allowHalfOpen: true });
  pipe(client, upstream, towards, headCounter());
  pipe(upstream, client, back, () => undefined);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.(server.address());
process.on('message', () => process.send?.({ requests }));
process.on('disconnect', () => process.exit());
