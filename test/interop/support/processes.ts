/** Programs that the tests start: each in a process group of its own, each ended by its id, whatever happens. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a program is started. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
}

/** What a program that ran to its end left. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended by itself.
  }
}

function endAll(): void {
  for (const child of running) endGroup(child, 'SIGKILL');
}

process.on('exit', endAll);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

function start({ program, args, cwd, env }: Command): ChildProcess {
  const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  running.add(child);
  child.once('close', () => running.delete(child));
  // A program that ends early breaks its input; its exit code says more.
  child.stdin?.on('error', () => {});
  return child;
}

function textOf(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

/** Runs a program to its end; kills it when it takes longer than `timeoutMs`. Any exit code is an answer. */
export async function run(command: Command, timeoutMs = 180_000): Promise<Finished> {
  const child = start(command);
  const stdout = textOf(child.stdout);
  const stderr = textOf(child.stderr);
  child.stdin?.end();
  const timer = setTimeout(() => endGroup(child, 'SIGKILL'), timeoutMs);
  try {
    const [code, signal] = await once(child, 'close');
    if (signal !== null) throw new Error(`${commandLine(command)} was ended by ${signal}\n${stdout()}\n${stderr()}`);
    return { code: Number(code), stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
  }
}

/** As `run`, and fails unless the program exits with 0. */
export async function runOk(command: Command, timeoutMs?: number): Promise<Finished> {
  const finished = await run(command, timeoutMs);
  if (finished.code === 0) return finished;
  throw new Error(`${commandLine(command)} exited with ${finished.code}\n${finished.stdout}\n${finished.stderr}`);
}

function commandLine({ program, args }: Command): string {
  return [program, ...args].join(' ');
}

/** A program that runs until it is stopped. */
export class Daemon implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #command: Command;
  readonly #stdout: () => string;
  readonly #stderr: () => string;
  readonly #ended: Promise<number | null>;

  private constructor(command: Command) {
    this.#command = command;
    this.#child = start(command);
    this.#stdout = textOf(this.#child.stdout);
    this.#stderr = textOf(this.#child.stderr);
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', resolve);
    });
    // Whoever waits for it hears of the failure; nobody has to wait.
    this.#ended.catch(() => {});
  }

  /** Starts it and waits until `isReady` says so; fails with its output when it ends before, or is too slow. */
  static async start(
    command: Command,
    isReady: (daemon: Daemon) => boolean | Promise<boolean>,
    timeoutMs = 60_000,
  ): Promise<Daemon> {
    const daemon = new Daemon(command);
    const deadline = Date.now() + timeoutMs;
    while (!(await isReady(daemon))) {
      const over = daemon.#child.exitCode !== null || daemon.#child.pid === undefined;
      if (over || Date.now() > deadline) {
        await daemon.kill();
        throw new Error(`${commandLine(command)} did not start\n${daemon.stdout}\n${daemon.stderr}`);
      }
      await sleep(50);
    }
    return daemon;
  }

  get stdout(): string {
    return this.#stdout();
  }

  get stderr(): string {
    return this.#stderr();
  }

  /** Process id. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${commandLine(this.#command)} did not start`);
    return this.#child.pid;
  }

  /** Its standard streams, for a program that is spoken to. */
  get streams(): { readonly stdin: NodeJS.WritableStream; readonly stdout: NodeJS.ReadableStream } {
    const { stdin, stdout } = this.#child;
    if (stdin === null || stdout === null) throw new Error('started without pipes');
    return { stdin, stdout };
  }

  /** Asks it to end and gives its exit code; kills it after `timeoutMs`. */
  async stop(timeoutMs = 20_000): Promise<number | null> {
    endGroup(this.#child, 'SIGTERM');
    const timer = setTimeout(() => endGroup(this.#child, 'SIGKILL'), timeoutMs);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    endGroup(this.#child, 'SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  toString(): string {
    return commandLine(this.#command);
  }
}
