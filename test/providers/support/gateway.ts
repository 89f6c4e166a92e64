/** The shipped gateway, and the shipped doctor, with one provider behind them. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { S3Access } from '../../interop/support/backends.ts';
import { Daemon, run } from '../../interop/support/processes.ts';
import type { Workspace } from '../../interop/support/workspace.ts';
import { runtimeProgram } from '../../support/runtimes.ts';
import { startArguments } from '../../support/start-command.ts';
import type { CapabilityName } from './provider-file.ts';
import type { RunningProvider } from './start-provider.ts';

/** Whether the gateway encrypts. */
export type Mode = 'required' | 'off';

/** As much of the doctor's report as the tests read. */
export interface DoctorReport {
  readonly ok: boolean;
  readonly backends: readonly {
    readonly findings: readonly {
      readonly capability: CapabilityName;
      readonly outcome: string;
      readonly reason?: string;
    }[];
    readonly problems: readonly string[];
    readonly advice: readonly string[];
  }[];
  readonly keys: readonly { readonly problems: readonly string[] }[];
}

const launcher = join(import.meta.dirname, '..', '..', '..', 'bin', 's3eg.mjs');

interface Configured {
  readonly folder: string;
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Omit<S3Access, 'endpoint'>;
}

async function configure(
  running: Pick<RunningProvider, 'section'>,
  mode: Mode,
  workspace: Workspace,
  keyring?: string,
): Promise<Configured> {
  const folder = await workspace.folder('gateway');
  const credentials = { accessKeyId: 'tests', secretAccessKey: randomBytes(20).toString('hex') };
  const actions = ['read', 'write', 'delete', 'list', 'admin'];
  const settings = {
    listen: { port: 0 },
    admin: { port: 0 },
    credentials: [{ ...credentials, allow: [{ actions }] }],
    backends: { main: await running.section(workspace) },
    keys: { local: { type: 'local', file: keyring ?? join(folder, 'keyring.json') } },
    policies: [{ name: 'all', encryption: { mode } }],
  };
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  return { folder, file, env: { PATH: '/usr/bin:/bin', HOME: folder }, credentials };
}

/** Starts a gateway that ends with the workspace; those with the same keyring are replicas. */
export async function startGateway(
  running: Pick<RunningProvider, 'section'>,
  mode: Mode,
  workspace: Workspace,
  keyring?: string,
): Promise<S3Access> {
  const { folder, file, env, credentials } = await configure(running, mode, workspace, keyring);
  const args = [...startArguments(), '--config', file];
  const address = /"address":"([^"]+)"[^\n]*"message":"gateway started"/;
  const gateway = await Daemon.start({ program: runtimeProgram(), args, cwd: folder, env }, ({ stdout }) =>
    address.test(stdout),
  );
  workspace.use(gateway);
  return { endpoint: address.exec(gateway.stdout)?.[1] ?? '', ...credentials };
}

/** Runs `s3eg doctor`. */
export async function runDoctor(running: RunningProvider, workspace: Workspace): Promise<DoctorReport> {
  const { folder, file, env } = await configure(running, 'required', workspace);
  const args = [launcher, 'doctor', '--config', file, '--json'];
  const { code, stdout, stderr } = await run({ program: runtimeProgram(), args, cwd: folder, env });
  if (code > 1) throw new Error(`s3eg doctor exited with ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}
