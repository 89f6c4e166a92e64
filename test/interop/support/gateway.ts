/** The gateway itself, as `npm start` starts it, in a fresh directory under a fresh HOME, on free ports. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { chosenRuntime, runtimeProgram, type RuntimeName } from '../../support/runtimes.ts';
import { startArguments } from '../../support/start-command.ts';
import type { Backend, S3Access } from './backends.ts';
import { Daemon, type Command } from './processes.ts';
import type { Workspace } from './workspace.ts';

/** One line of the gateway's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** What a gateway is started with. */
export interface GatewayOptions {
  readonly workspace: Workspace;
  readonly backend: Backend;
  /** A gateway whose keyring and credentials this one shares, as replicas do. */
  readonly replicaOf?: Gateway;
  /** Keyring file to start with, for a gateway in front of a copied backend. */
  readonly keyring?: string;
  /** Endpoint that stands between this gateway and the backend. */
  readonly proxiedBy?: string;
  /** Sections of the configuration file; without it all is as it comes. */
  readonly settings?: Readonly<Record<string, object>>;
  /** What it runs on, where that is not what S3EG_RUNTIME says. */
  readonly runtime?: RuntimeName;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A gateway that runs. */
export class Gateway implements AsyncDisposable {
  readonly backend: Backend;
  /** Directory of keyring and credentials. */
  readonly dataDir: string;
  readonly access: S3Access;
  readonly #launched: Launched;
  #process: Daemon;
  readonly #earlierLogs: string[] = [];

  private constructor(backend: Backend, launched: Launched) {
    this.backend = backend;
    this.dataDir = launched.dataDir;
    this.access = launched.access;
    this.#launched = launched;
    this.#process = launched.process;
  }

  /** Starts a gateway and waits until it listens; it ends with the workspace. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options.backend, await launch(options));
    return options.workspace.use(gateway);
  }

  get keyring(): string {
    return join(this.dataDir, 'keyring.json');
  }

  /** All that it logged since its first start. */
  get logText(): string {
    return [...this.#earlierLogs, this.#process.stdout].join('');
  }

  get logs(): readonly LogLine[] {
    return logLines(this.logText);
  }

  /** Waits for a line: the log is written without blocking the answer. */
  async logged(what: string, matches: (line: LogLine, index: number) => boolean): Promise<LogLine> {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const line = this.logs.find(matches);
      if (line !== undefined) return line;
      if (Date.now() > deadline) throw new Error(`not in the log: ${what}\n${this.logText.slice(-4000)}`);
      await sleep(20);
    }
  }

  /** All that it wrote to standard output and standard error since it was started last. */
  get output(): string {
    return `${this.#process.stdout}${this.#process.stderr}`;
  }

  /** What the admin listener answers at a path. */
  async admin(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`${addressIn(this.#process, 'admin listener started')}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  /** Sum of a metric over all its series that have these labels. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const answer = await fetch(`${addressIn(this.#process, 'admin listener started')}/metrics`);
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return (await answer.text())
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .filter((line) => wanted.every((pair) => line.includes(pair)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Highest resident memory of its process since it started (VmHWM of proc(5)), in bytes. */
  async peakMemoryBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#process.pid}/status`, 'utf8');
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    if (kibibytes === undefined) throw new Error('the system does not tell the peak of resident memory');
    return Number(kibibytes) * 1024;
  }

  /** Ends it without a chance to clean up. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Starts it again, on the same port, with all that it left on disk. */
  async restart(): Promise<void> {
    this.#earlierLogs.push(this.#process.stdout);
    const { program, args, env, folder } = this.#launched;
    const { port } = new URL(this.access.endpoint);
    this.#process = await startProcess({ program, args, cwd: folder, env: { ...env, S3EG_LISTEN_PORT: port } });
  }

  /** Asks it to drain and end; gives the exit code. */
  async stop(): Promise<number | null> {
    return await this.#process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

interface Launched {
  readonly folder: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly process: Daemon;
  readonly access: S3Access;
}

async function launch(options: GatewayOptions): Promise<Launched> {
  const { workspace, backend, replicaOf, keyring } = options;
  const folder = await workspace.folder('gateway');
  const dataDir = replicaOf?.dataDir ?? dataDirOf(backend, folder);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (keyring !== undefined) await copyFile(keyring, join(dataDir, 'keyring.json'));
  const args = await configuration(folder, options);
  const env = { PATH: '/usr/bin:/bin', HOME: folder, S3EG_ADMIN_PORT: '0', S3EG_DATA_DIR: dataDir, ...options.env };
  const program = runtimeProgram(options.runtime);
  const process = await startProcess({ program, args, cwd: folder, env: { ...env, S3EG_LISTEN_PORT: '0' } });
  const endpoint = addressIn(process, 'gateway started');
  const credentials = await credentialsIn(join(dataDir, 'credentials.json'));
  return { folder, program, args, env, dataDir, process, access: { endpoint, ...credentials } };
}

/** The embedded store is where the data directory is. */
function dataDirOf({ name, root }: Backend, folder: string): string {
  return name === 'embedded' ? dirname(root) : join(folder, 'data');
}

/** Nothing but the backend is configured unless a test asks for more: the defaults are what is tested. */
async function configuration(folder: string, options: GatewayOptions): Promise<readonly string[]> {
  const { backend, proxiedBy, settings = {}, runtime = chosenRuntime } = options;
  const start = startArguments(undefined, runtime);
  const sections = { ...backends(backend, proxiedBy), ...settings };
  if (Object.keys(sections).length === 0) return start;
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, JSON.stringify(sections));
  return [...start, '--config', file];
}

/** The embedded store is there without being configured. */
function backends({ access }: Backend, proxiedBy?: string): object {
  if (access === undefined) return {};
  const { endpoint, ...credentials } = access;
  return { backends: { main: { type: 's3', endpoint: proxiedBy ?? endpoint, region: 'us-east-1', credentials } } };
}

async function startProcess(command: Command): Promise<Daemon> {
  return await Daemon.start(command, ({ stdout }) => stdout.includes('"admin listener started"'));
}

function addressIn({ stdout }: Daemon, message: string): string {
  const line = logLines(stdout).find((entry) => entry['message'] === message);
  if (typeof line?.['address'] !== 'string') throw new Error(`no address in the log:\n${stdout}`);
  return line['address'];
}

function logLines(text: string): readonly LogLine[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line): LogLine => JSON.parse(line));
}

async function credentialsIn(file: string): Promise<Omit<S3Access, 'endpoint'>> {
  const { credentials }: { credentials: readonly Omit<S3Access, 'endpoint'>[] } = JSON.parse(
    await readFile(file, 'utf8'),
  );
  const [first] = credentials;
  if (first === undefined) throw new Error(`no credentials in ${file}`);
  return { accessKeyId: first.accessKeyId, secretAccessKey: first.secretAccessKey };
}
