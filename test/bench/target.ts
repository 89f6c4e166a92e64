import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { signedHead, type Credentials } from './sigv4.ts';

/** A server under load. */
export interface Target {
  readonly name: string;
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  readonly credentials: Credentials;
  /** One of its own: the gateway's objects are not those of the server behind it. */
  readonly bucket: string;
  /** The server behind it, whose CPU is reported beside its own. */
  readonly backendPid?: number;
  stop(): Promise<void>;
}

/** Where every server of the benchmark listens. */
export const loopback = '127.0.0.1';

const startTimeoutMs = 30_000;

/** Makes the benchmark's bucket. */
export async function makeBucket(target: Target): Promise<void> {
  const { bucket } = target;
  const address = `${target.host}:${target.port}`;
  const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const head = signedHead(
    { method: 'PUT', host: address, path: `/${bucket}`, bodyBytes: 0, payloadHash: emptyHash },
    target.credentials,
    new Date(),
  );
  const headers = head
    .split('\r\n')
    .slice(2)
    .filter((line) => line !== '' && !line.startsWith('content-length'))
    .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
  const answer = await fetch(`http://${address}/${bucket}`, { method: 'PUT', headers });
  if (!answer.ok && answer.status !== 409) throw new Error(`${target.name}: no bucket: ${await answer.text()}`);
}

/** Starts a program in `folder`, with nothing of this environment but the path; its output goes to `output.log`. */
export function startProcess(
  [program = '', ...args]: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): ChildProcess {
  mkdirSync(folder, { recursive: true });
  const output = openSync(join(folder, 'output.log'), 'w');
  return spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', output, output],
  });
}

/** What a target says of its process. */
export function running(child: ChildProcess): Pick<Target, 'pid' | 'stop'> {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} did not start`);
  return {
    pid: child.pid,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Ends a process of the benchmark's own, which does so when nobody is there to talk to; it may have ended before. */
export async function letGo(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
}

/** Waits until the process serves. @throws Error where it ends before, or takes too long. */
export async function until(child: ChildProcess, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode} at its start`);
    if (await isReady().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${child.spawnfile} was not ready after ${startTimeoutMs} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

/** A port that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, loopback);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
