import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

import type { MetricFamily } from '../telemetry/metrics.ts';
import type { FromWorker, ToWorker, WorkerOrder } from './messages.ts';

const program = fileURLToPath(new URL('worker-main.ts', import.meta.url));

/** How a worker ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said where it could not start. */
  readonly failure?: string;
}

/** What a worker says of connections. */
export interface WorkerEvents {
  taken(message: { readonly id: number; readonly open: number }): void;
  returned(id: number): void;
}

/** A worker process, as its supervisor needs it. */
export interface WorkerProcess {
  readonly pid: number;
  /** It serves; rejects where it ends before. */
  readonly serving: Promise<void>;
  /** It is gone, and all that it said has been heard. */
  readonly ended: Promise<WorkerEnd>;
  /** Metrics as it said them last. */
  readonly families: readonly MetricFamily[];
  send(id: number, socket: Socket): void;
  /** Asks for the metrics; returns when they are there, or when it does not answer in time. */
  refresh(options: { readonly isScrape: boolean }): Promise<void>;
  reopenAudit(): void;
  drain(options: { readonly idleGraceMs: number }): void;
  kill(): void;
}

/** Makes worker processes. */
export type StartWorkerProcess = (order: WorkerOrder, events: WorkerEvents) => WorkerProcess;

/** Longest wait for the metrics of one worker. */
const refreshTimeoutMs = 1000;

/** Starts a process that serves as `order` says. */
export const forkWorker: StartWorkerProcess = (order, events) => new ForkedWorker(order, events);

class ForkedWorker implements WorkerProcess {
  readonly serving: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  families: readonly MetricFamily[] = [];
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  readonly #onServing = Promise.withResolvers<void>();
  readonly #refreshes = new Map<number, () => void>();
  #lastRefresh = 0;
  #failure: string | undefined;

  constructor(order: WorkerOrder, events: WorkerEvents) {
    this.#events = events;
    this.#child = fork(program, [], {
      // What memory a process may take is said once, where the gateway is started.
      execArgv: process.execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.serving = this.#onServing.promise;
    // Whoever does not wait for it hears of the end.
    this.serving.catch(() => {});
    this.#child.on('message', (message: FromWorker) => this.#hear(message));
    this.ended = this.#end();
    this.#post({ type: 'start', ...order });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(id: number, socket: Socket): void {
    const message: ToWorker = { type: 'connection', id };
    // Where it does not get there, the worker is gone, and the connection is given to another one with its end.
    if (this.#child.connected) this.#child.send(message, socket, { keepOpen: true }, () => {});
  }

  async refresh({ isScrape }: { readonly isScrape: boolean }): Promise<void> {
    if (!this.#child.connected) return;
    const id = (this.#lastRefresh += 1);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, refreshTimeoutMs);
      this.#refreshes.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
      this.#post({ type: 'collect', id, isScrape });
    });
    this.#refreshes.delete(id);
  }

  reopenAudit(): void {
    this.#post({ type: 'reopen' });
  }

  drain({ idleGraceMs }: { readonly idleGraceMs: number }): void {
    this.#post({ type: 'drain', idleGraceMs });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #post(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #hear(message: FromWorker): void {
    if (message.type === 'serving') this.#onServing.resolve();
    else if (message.type === 'failed') this.#failure = message.message;
    else if (message.type === 'taken') this.#events.taken(message);
    else if (message.type === 'returned') this.#events.returned(message.id);
    else {
      this.families = message.families;
      if (message.type === 'metrics') this.#refreshes.get(message.id)?.();
    }
  }

  /** The process is gone and its channel read to the end: only then is known which connections it had not taken. */
  async #end(): Promise<WorkerEnd> {
    const child = this.#child;
    const disconnected = new Promise<void>((resolve) => void child.once('disconnect', resolve));
    const end = await new Promise<WorkerEnd>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => {
        this.#failure ??= error.message;
        // A process that could not be made does not exit.
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    if (child.connected) await disconnected;
    const ended = this.#failure === undefined ? end : { ...end, failure: this.#failure };
    this.#onServing.reject(new Error(reasonOf(ended)));
    for (const resolve of this.#refreshes.values()) resolve();
    return ended;
  }
}

/** Why a worker ended, for people. */
export function reasonOf({ code, signal, failure }: WorkerEnd): string {
  return failure ?? (signal === null ? `exit code ${code ?? 'unknown'}` : `killed by ${signal}`);
}
