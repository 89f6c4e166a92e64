import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { startArguments } from '../support/start-command.ts';
import { bareRelay, leastGateway } from './results.ts';
import { letGo, loopback, type Target } from './target.ts';

/** Where it sends what it gets. */
export type YardstickJob = Pick<Target, 'host' | 'port'>;

/** Programs that do less than a gateway, to tell what of its cost is not its own. */
export const yardstickNames = [bareRelay, leastGateway] as const;

/** Starts one on a free port in front of a server, with the options of node that the gateway has. */
export async function startYardstick(name: (typeof yardstickNames)[number], backend: Target): Promise<Target> {
  const file = name.replaceAll(' ', '-');
  const execArgv = startArguments(undefined, 'node').filter((argument) => argument.startsWith('--'));
  const child = fork(join(import.meta.dirname, `${file}.ts`), { execArgv });
  const answer = once(child, 'message');
  const job: YardstickJob = { host: backend.host, port: backend.port };
  child.send(job);
  const [{ port }] = await answer;
  if (child.pid === undefined) throw new Error(`the ${name} did not start`);
  const { credentials, pid: backendPid } = backend;
  return {
    name,
    pid: child.pid,
    backendPid,
    host: loopback,
    port: Number(port),
    credentials,
    bucket: `bench-${file}`,
    stop: () => letGo(child),
  };
}
