import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { letGo, loopback, type Target } from './target.ts';

/** Where a relay sends what it gets, and how slowly. */
export interface RelayJob {
  readonly host: string;
  readonly port: number;
  /** One way; what a round trip takes more is twice that. */
  readonly delayMs: number;
  /** In each direction; default: no limit. */
  readonly bytesPerSecond?: number;
}

/** A relay in a process of its own. */
export interface Relay extends Pick<Target, 'host' | 'port' | 'stop'> {
  /** Requests that passed so far. */
  requests(): Promise<number>;
}

/** Starts a relay on a free port. */
export async function startRelay(job: RelayJob): Promise<Relay> {
  const child = fork(join(import.meta.dirname, 'relay.ts'), { execArgv: [] });
  const answer = once(child, 'message');
  child.send(job);
  const [{ port }] = await answer;
  return {
    host: loopback,
    port: Number(port),
    async requests() {
      const counted = once(child, 'message');
      child.send('count');
      const [{ requests }] = await counted;
      return Number(requests);
    },
    stop: () => letGo(child),
  };
}
