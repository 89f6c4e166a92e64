/** The stores that the gateway stands in front of: its own, and real S3 servers. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { Daemon, runOk } from './processes.ts';
import { tools } from './tools.ts';
import { freePort, type Workspace } from './workspace.ts';

/** How a client reaches an S3 endpoint. */
export interface S3Access {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Whether the SDKs put the bucket into the host name; only for signing URLs, as no name server knows it. */
  readonly virtualHosted?: boolean;
}

/** Every backend that the suites run against. */
export const backendNames = ['embedded', 'minio', 'versitygw'] as const;

export type BackendName = (typeof backendNames)[number];

/** Backends that speak S3 themselves, so that a test sees what is stored without the gateway. */
export const serverNames = ['minio', 'versitygw'] as const;

export type ServerName = (typeof serverNames)[number];

/** A backend that runs. */
export interface Backend {
  readonly name: BackendName;
  /** All that it stores is below; a new place of the embedded store may not be there yet. */
  readonly root: string;
  /** Undefined for the embedded store, which is part of the gateway. */
  readonly access?: S3Access;
}

/** A backend that is asked directly. */
export interface Server extends Backend {
  readonly name: ServerName;
  readonly access: S3Access;
}

/** Starts a fresh, empty backend; the embedded one is started with the gateway. */
export async function startBackend(name: BackendName, workspace: Workspace): Promise<Backend> {
  if (name !== 'embedded') return await startServer(name, workspace);
  return { name, root: join(await workspace.folder('embedded'), 'objects') };
}

/** Starts a fresh, empty S3 server, with further settings in its environment. */
export async function startServer(
  name: ServerName,
  workspace: Workspace,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const root = join(await workspace.folder(name), 'stored');
  await mkdir(root);
  return await serve(name, root, workspace, settings);
}

/** A backend of the same kind over a copy of all files of another one, made by `cp -a`. */
export async function startCopy({ name, root }: Backend, workspace: Workspace): Promise<Backend> {
  const folder = await workspace.folder(`${name}-copy`);
  const copied = join(folder, 'objects');
  const env = { PATH: '/usr/bin:/bin' };
  await runOk({ program: '/bin/cp', args: ['-a', root, copied], cwd: folder, env });
  return name === 'embedded' ? { name, root: copied } : await serve(name, copied, workspace);
}

async function serve(
  name: ServerName,
  root: string,
  workspace: Workspace,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const cwd = dirname(root);
  const port = await freePort();
  const access: S3Access = {
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId: `backend${randomBytes(4).toString('hex')}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const command = name === 'minio' ? minio(root, port, access) : versitygw(root, port, access);
  const env = { HOME: cwd, PATH: '/usr/bin:/bin', ...command.env, ...settings };
  workspace.use(
    await Daemon.start({ program: tools[name], args: command.args, cwd, env }, async () => {
      return await answers(`${access.endpoint}/${name === 'minio' ? 'minio/health/ready' : ''}`);
    }),
  );
  return { name, root, access };
}

interface ServerCommand {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function minio(root: string, port: number, { accessKeyId, secretAccessKey }: S3Access): ServerCommand {
  return {
    args: ['server', '--address', `127.0.0.1:${port}`, root],
    env: {
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
  };
}

function versitygw(root: string, port: number, { accessKeyId, secretAccessKey }: S3Access): ServerCommand {
  return {
    args: ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', root],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  };
}

/** Whether the server is up: MinIO's probe says 200, versitygw has none and refuses the anonymous request. */
async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await answer.arrayBuffer();
    return answer.status < 500;
  } catch {
    return false;
  }
}
