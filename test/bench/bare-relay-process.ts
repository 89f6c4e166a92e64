import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { startArguments } from '../support/start-command.ts';
import { bareRelay } from './results.ts';
import { letGo, loopback, type Target } from './target.ts';

/** Where it sends what it gets. */
export type BareRelayJob = Pick<Target, 'host' | 'port'>;

/** Starts it on a free port in front of a server, with the options of node that the gateway has. */
export async function startBareRelay(backend: Target): Promise<Target> {
  const execArgv = startArguments(undefined, 'node').filter((argument) => argument.startsWith('--'));
  const child = fork(join(import.meta.dirname, 'bare-relay.ts'), { execArgv });
  const answer = once(child, 'message');
  const job: BareRelayJob = { host: backend.host, port: backend.port };
  child.send(job);
  const [{ port }] = await answer;
  if (child.pid === undefined) throw new Error('the bare relay did not start');
  const { credentials, pid: backendPid } = backend;
  const bucket = 'bench-bare-relay';
  return {
    name: bareRelay,
    pid: child.pid,
    backendPid,
    host: loopback,
    port: Number(port),
    credentials,
    bucket,
    stop: () => letGo(child),
  };
}
