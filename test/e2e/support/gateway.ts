import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import { runtimeProgram } from '../../support/runtimes.ts';
import { startArguments } from '../../support/start-command.ts';
import { knownSecrets } from './secrets.ts';

/** Halves the time that a process takes to start; changes nothing else. */
const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/e2e', import.meta.url));

/** A busy machine may take long to start a process; a gateway that hangs must not hang the tests. */
const patienceMs = 60_000;

/** Where a listener is. */
export interface Listener {
  readonly host: string;
  readonly port: number;
}

/** An access key that clients of the tests sign with. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** May do everything. */
export const rootCredentials: Credentials = {
  accessKeyId: 'E2EROOT',
  secretAccessKey: 'root-secret-that-no-log-may-show',
};

/** What a started process says beside its listeners. */
export interface GatewayOptions {
  /** Sections of the configuration file that replace those of the tests. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Where to run: that of another gateway to share its store and keys, or a new one. */
  readonly directory?: string;
}

/** The embedded store, one local key and one access key that may do everything, on free ports. */
function defaultConfig(): Record<string, unknown> {
  const everything = { buckets: ['*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] };
  return {
    listen: { host: '127.0.0.1', port: 0, drainTimeout: '20s' },
    admin: { host: '127.0.0.1', port: 0 },
    credentials: [{ ...rootCredentials, allow: [everything] }],
    backends: { main: { type: 'filesystem', root: './objects' } },
    keys: { local: { type: 'local', file: './keyring.json' } },
    telemetry: { logLevel: 'trace' },
  };
}

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs what `npm start` runs in a directory; all that it writes is kept. */
export class GatewayProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  isOver = false;
  #change: () => void = () => {};

  constructor(directory: string, commandLine: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(runtimeProgram(), [...startArguments(), ...commandLine], {
      cwd: directory,
      // Nothing of the environment of the tests configures the gateway.
      env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: compileCache, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#change();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#change();
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.isOver = true;
      this.#change();
      return { code, signal, output: `${this.stdout}${this.stderr}` };
    });
  }

  /** Waits until `find` sees in the output what it looks for. */
  async until<Found>(find: (output: GatewayProcess) => Found | undefined): Promise<Found> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const found = find(this);
      if (found !== undefined) return found;
      if (this.isOver) throw new Error(`the gateway ended:\n${this.stdout}${this.stderr}`);
      if (Date.now() > deadline) throw new Error(`the gateway did not say it:\n${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#change = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Lines of the log, parsed. */
  logLines(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => {
        const parsed: unknown = JSON.parse(line);
        assert.ok(typeof parsed === 'object' && parsed !== null);
        return { ...parsed };
      });
  }
}

/** A gateway in a process of its own, as it is shipped. Disposing of it stops it and looks through its log. */
export class Gateway implements AsyncDisposable {
  readonly directory: string;
  readonly s3: Listener;
  readonly admin: Listener;
  readonly process: GatewayProcess;
  readonly #ownsDirectory: boolean;

  private constructor(
    process: GatewayProcess,
    directory: { readonly path: string; readonly isOwn: boolean },
    listeners: { readonly s3: Listener; readonly admin: Listener },
  ) {
    this.process = process;
    this.directory = directory.path;
    this.#ownsDirectory = directory.isOwn;
    this.s3 = listeners.s3;
    this.admin = listeners.admin;
  }

  /** Starts a gateway and waits until it serves. */
  static async start(options: GatewayOptions = {}): Promise<Gateway> {
    const path = options.directory ?? (await temporaryDirectory());
    const file = join(path, `gateway-${Math.random().toString(36).slice(2)}.yaml`);
    await writeFile(file, JSON.stringify({ ...defaultConfig(), ...options.config }, undefined, 2));
    const process = new GatewayProcess(path, ['--config', file]);
    const s3 = await process.until(({ stdout }) => listenerOf(stdout, 'gateway started'));
    const admin = await process.until(({ stdout }) => listenerOf(stdout, 'admin listener started'));
    return new Gateway(process, { path, isOwn: options.directory === undefined }, { s3, admin });
  }

  /** Everything that the process wrote so far. */
  get output(): string {
    return `${this.process.stdout}${this.process.stderr}`;
  }

  get pid(): number {
    return this.process.child.pid ?? 0;
  }

  /** SIGTERM, which may be its second one, unless it ended by itself; resolves when the process is gone. */
  async stop(): Promise<Ended> {
    const { child } = this.process;
    // `killed` would be true after any signal, a SIGHUP too.
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return this.process.ended;
  }

  /** SIGKILL: no chance to put anything in order. */
  async kill(): Promise<void> {
    this.process.child.kill('SIGKILL');
    await this.process.ended;
  }

  /** Files with content in the embedded store: what was refused must not have left one. */
  async storedFiles(): Promise<string[]> {
    const entries = await readdir(join(this.directory, 'objects', 'data'), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .toSorted();
  }

  /** Waits until just these files have content: what a client left behind is cleared away soon, but not at once. */
  async untilStored(expected: readonly string[], message = 'files'): Promise<void> {
    const deadline = Date.now() + patienceMs;
    let stored = await this.storedFiles();
    while (!isDeepStrictEqual(stored, expected) && Date.now() < deadline) {
      await sleep(20);
      stored = await this.storedFiles();
    }
    assert.deepEqual(stored, expected, message);
  }

  /** Keys of a bucket in the embedded store, the gateway's own among them, read as any SQLite tool would. */
  storedKeys(bucket: string): string[] {
    const database = new DatabaseSync(join(this.directory, 'objects', 'index.sqlite'), { readOnly: true });
    try {
      const rows = database
        .prepare('SELECT key FROM object JOIN bucket ON bucket.id = bucket_id WHERE name = ? ORDER BY key')
        .all(bucket);
      return rows.map(({ key }) => (key instanceof Uint8Array ? Buffer.from(key).toString() : String(key)));
    } finally {
      database.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { code, signal, output } = await this.stop();
    if (this.#ownsDirectory) await rm(this.directory, { recursive: true, force: true });
    for (const secret of knownSecrets()) {
      assert.ok(!output.includes(secret), `the log shows a secret: ${secret.slice(0, 6)}…`);
    }
    // A test may have killed it; nothing else may.
    if (signal !== 'SIGKILL') assert.equal(code, 0, `the gateway ended with ${code ?? signal}:\n${output}`);
  }
}

/** A new directory under the system's for temporary files; whoever asks removes it. */
export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 's3eg-e2e-'));
}

/** Address that the log names in the line with this message. */
export function listenerOf(log: string, message: string): Listener | undefined {
  const line = log.split('\n').find((candidate) => candidate.includes(`"message":"${message}"`));
  const [, host, port] = /"address":"https?:\/\/([^"]+):(\d+)"/.exec(line ?? '') ?? [];
  return host === undefined || port === undefined ? undefined : { host, port: Number(port) };
}
