/** moto server: all of AWS in memory; of S3's demands it has some that no other server here has. It verifies no signatures. */
import { randomBytes } from 'node:crypto';

import type { S3Access } from './backends.ts';
import { Daemon } from './processes.ts';
import { tools } from './tools.ts';
import { freePort, type Workspace } from './workspace.ts';

/** Starts a fresh one, which ends with the workspace. */
export async function startMoto(workspace: Workspace): Promise<S3Access> {
  const cwd = await workspace.folder('moto');
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const args = ['-H', '127.0.0.1', '-p', String(port)];
  const env = { PATH: '/usr/bin:/bin', HOME: cwd };
  workspace.use(await Daemon.start({ program: tools.moto, args, cwd, env }, async () => await answers(endpoint)));
  return { endpoint, accessKeyId: 'moto', secretAccessKey: randomBytes(20).toString('hex') };
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2000) });
    await answer.arrayBuffer();
    return answer.status < 500;
  } catch {
    return false;
  }
}
