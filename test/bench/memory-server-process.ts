import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { letGo, loopback, type Target } from './target.ts';

/** How much of large objects the server keeps. */
export interface MemoryServerJob {
  readonly keptBytes: number;
}

/** Starts a server that keeps objects of 1 MiB and more only as long as there is room for them; no signature is looked at. */
export async function startMemoryServer(job: MemoryServerJob): Promise<Target> {
  const child = fork(join(import.meta.dirname, 'memory-server.ts'), { execArgv: [] });
  const answer = once(child, 'message');
  child.send(job);
  const [{ port }] = await answer;
  return {
    name: 'memory',
    pid: child.pid ?? 0,
    host: loopback,
    port: Number(port),
    credentials: { accessKeyId: 'bench-access-key', secretAccessKey: 'bench-secret-key' },
    bucket: 'bench-direct',
    stop: () => letGo(child),
  };
}
