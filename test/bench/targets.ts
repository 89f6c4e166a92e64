import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { startArguments } from '../support/start-command.ts';
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

const host = '127.0.0.1';
const startTimeoutMs = 30_000;

/** Where the interop set-up put MinIO. @throws Error that says what to do where it is missing. */
export function minioBinary(): string {
  const cache =
    process.env['S3EG_INTEROP_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 's3eg-interop');
  const binary = join(cache, 'bin', 'minio');
  if (existsSync(binary)) return binary;
  throw new Error(
    `MinIO is not at ${binary}. Run .ci/setup-interop, or set S3EG_INTEROP_DIR to where it put its files.`,
  );
}

/** A MinIO of one drive in `folder`. */
export async function startMinio(folder: string): Promise<Target> {
  const credentials = { accessKeyId: 'bench-access-key', secretAccessKey: 'bench-secret-key' };
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const address = `${host}:${port}`;
  const child = start(minioBinary(), ['server', '--quiet', '--address', address, join(folder, 'objects')], folder, {
    MINIO_ROOT_USER: credentials.accessKeyId,
    MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
    HOME: folder,
  });
  await until(child, async () => (await fetch(`http://${address}/minio/health/ready`)).ok);
  return { name: 'MinIO alone', ...running(child), host, port, credentials, bucket: 'bench-direct' };
}

/** The gateway as it is shipped, in `folder`: in front of `backend`, or with its embedded store where that is missing. */
export async function startGateway(folder: string, backend?: Target): Promise<Target> {
  mkdirSync(folder, { recursive: true });
  const args = [...startArguments()];
  if (backend !== undefined) {
    const config = join(folder, 's3eg.yaml');
    const endpoint = `http://${backend.host}:${backend.port}`;
    const credentials = JSON.stringify(backend.credentials);
    writeFileSync(config, `backends:\n  minio: { type: s3, endpoint: "${endpoint}", credentials: ${credentials} }\n`);
    args.push('--config', config);
  }
  const child = start(process.execPath, [...profiling(), ...args], folder, {
    S3EG_LISTEN_PORT: '0',
    S3EG_ADMIN_PORT: '0',
  });
  const log = (): string => readFileSync(join(folder, 'output.log'), 'utf8');
  await until(child, async () => log().includes('"gateway started"'));
  const port = Number(
    /"gateway started".*"address":"http:\/\/[^:]+:(\d+)"|"address":"http:\/\/[^:]+:(\d+)".*"gateway started"/
      .exec(log())
      ?.slice(1)
      .find(Boolean),
  );
  const { credentials } = JSON.parse(readFileSync(join(folder, 'data', 'credentials.json'), 'utf8'));
  return {
    name: backend === undefined ? 'gateway, embedded store' : 'gateway, MinIO behind',
    ...running(child),
    ...(backend === undefined ? {} : { backendPid: backend.pid }),
    host,
    port,
    credentials: credentials[0],
    bucket: 'bench-gateway',
  };
}

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

/** Options for node from the environment, to profile what is measured, e.g. `--cpu-prof`. */
function profiling(): readonly string[] {
  return (process.env['S3EG_BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '');
}

function start(
  command: string,
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const output = openSync(join(folder, 'output.log'), 'w');
  return spawn(command, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', output, output],
  });
}

function running(child: ChildProcess): Pick<Target, 'pid' | 'stop'> {
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

async function until(child: ChildProcess, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode} at its start`);
    if (await isReady().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${child.spawnfile} was not ready after ${startTimeoutMs} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
