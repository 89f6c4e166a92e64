/** The programs that the demo starts. Each leads a process group of its own, and all of them end with the demo. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a program is started. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What a program that ran to its end left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const startTimeoutMs = 60_000;
const running = new Set<ChildProcess>();

/** Ends all that still runs, at once. Safe in an `exit` handler. */
export function killAll(): void {
  for (const child of running) endGroup(child, 'SIGKILL');
}

/** The environment of whoever runs the demo, without settings that would reach its servers and clients. */
export function plainEnvironment(): Readonly<Record<string, string>> {
  const entries = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined || /^(AWS_|VAULT_|BAO_|S3EG_|NODE_|npm_)/.test(name) ? [] : [[name, value]],
  );
  return Object.fromEntries(entries);
}

/** Runs a program to its end, whatever its exit code. */
export async function run(command: Command): Promise<Finished> {
  const child = start(command);
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
  const [code] = await once(child, 'close');
  return { code, stdout: stdout(), stderr: stderr() };
}

/** A program that runs until it is stopped. */
export class Server {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #stdout: () => string;
  readonly #stderr: () => string;

  private constructor(command: Command) {
    this.#child = start(command);
    this.#ended = once(this.#child, 'close');
    this.#ended.catch(() => {});
    this.#stdout = textOf(this.#child.stdout);
    this.#stderr = textOf(this.#child.stderr);
  }

  /** Starts it and waits until `isReady` says so. @throws Error with its output where it ends before, or takes too long. */
  static async start(command: Command, isReady: (server: Server) => boolean | Promise<boolean>): Promise<Server> {
    const server = new Server(command);
    const deadlineMs = Date.now() + startTimeoutMs;
    while (!(await isReady(server))) {
      const isOver = server.#child.exitCode !== null || server.#child.pid === undefined;
      if (isOver || Date.now() > deadlineMs)
        throw new Error(`${command.program} did not start\n${server.stdout}${server.stderr}`);
      await sleep(50);
    }
    return server;
  }

  get stdout(): string {
    return this.#stdout();
  }

  get stderr(): string {
    return this.#stderr();
  }

  /** Asks it to end, and waits for that; gives its exit code. */
  async stop(): Promise<number | null> {
    endGroup(this.#child, 'SIGTERM');
    await this.#ended;
    return this.#child.exitCode;
  }
}

function start({ program, args, cwd, env }: Command): ChildProcess {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function textOf(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}
