import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { S3Client } from './client.ts';
import type { Gateway } from './gateway.ts';
import type { Scrape } from './metrics.ts';

const patienceMs = 60_000;

/** Asks until it is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, `waited too long for ${what}`);
    await sleep(20);
  }
}

/** Process ids of the workers that the log says serve, by number: the last one of each. */
export function workerPids(gateway: Gateway): ReadonlyMap<number, number> {
  const serving = gateway.process.logLines().filter(({ message }) => message === 'worker serves');
  return new Map(serving.map(({ worker, pid }) => [Number(worker), Number(pid)]));
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What became of one request under load. */
export interface Sent {
  readonly startedMs: number;
  /** `200`, or what went wrong. */
  readonly outcome: string;
}

/**
 * Clients that write and read small objects until they are told to stop, each on a connection that it keeps, or where `isFresh`
 * on one for each request.
 */
export class Load implements AsyncDisposable {
  readonly sent: Sent[] = [];
  readonly #gateway: Pick<Gateway, 's3'>;
  readonly #clients: Promise<void>[];
  readonly #isFresh: boolean;
  #isOver = false;

  constructor(gateway: Pick<Gateway, 's3'>, clients: number, { isFresh = false } = {}) {
    this.#gateway = gateway;
    this.#isFresh = isFresh;
    const name = isFresh ? 'fresh' : 'kept';
    this.#clients = Array.from({ length: clients }, (_, index) => this.#run(`${name}-${index}`));
  }

  /** Everything that did not go well. */
  get failures(): readonly Sent[] {
    return this.sent.filter(({ outcome }) => outcome !== '200');
  }

  /** Waits for so many more requests. */
  async more(count: number): Promise<void> {
    const target = this.sent.length + count;
    await until(`${count} more requests`, () => this.sent.length >= target);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(key: string): Promise<void> {
    using kept = new S3Client(this.#gateway);
    for (let round = 0; !this.#isOver; round++) {
      const content = `${key} ${round}`;
      const put = await this.#note(kept, async (client) => (await client.put('bucket', key, content)).outcome);
      if (put !== '200') continue;
      await this.#note(kept, async (client) => {
        const { outcome, text } = await client.get('bucket', key);
        return outcome === '200' && text !== content ? `not ${content}: ${text}` : outcome;
      });
    }
  }

  async #note(kept: S3Client, send: (client: S3Client) => Promise<string>): Promise<string> {
    const startedMs = Date.now();
    using fresh = new S3Client(this.#gateway);
    const outcome = await send(this.#isFresh ? fresh : kept).catch(String);
    this.sent.push({ startedMs, outcome });
    return outcome;
  }
}

function idOf(name: string, labels: object): string {
  return `${name} ${JSON.stringify(labels)}`;
}

/** Fails where a counter, or a part of a histogram, is lower than it was or gone. */
export function assertNoneFell(before: Scrape, after: Scrape): void {
  const now = new Map(after.samples.map(({ name, labels, value }) => [idOf(name, labels), value]));
  for (const { name, labels, value } of before.samples) {
    const type = before.types.get(name) ?? before.types.get(name.replace(/_(bucket|sum|count)$/, ''));
    if (type !== 'counter' && type !== 'histogram') continue;
    const id = idOf(name, labels);
    // Sums of seconds are added up in another order.
    assert.ok((now.get(id) ?? -1) >= value - 1e-6, `${id} fell from ${value} to ${now.get(id) ?? 'nothing'}`);
  }
}
