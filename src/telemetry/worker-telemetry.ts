import { errorFields, type Logger } from './logger.ts';
import { metricCatalogue } from './metric-catalogue.ts';
import type { Counter, Gauge, MetricsRegistry } from './metrics.ts';

const workerStates = ['starting', 'serving', 'draining', 'waiting'] as const;

/** What a worker process does, as its supervisor sees it. */
export type WorkerState = (typeof workerStates)[number];

/** A worker process that ended without being told to. */
export interface WorkerCrash {
  /** Its number, from 1. */
  readonly worker: number;
  readonly pid: number;
  readonly cause: 'exit' | 'signal' | 'start';
  /** How it ended, for people. */
  readonly reason: string;
  /** When the next one is started in its place. */
  readonly delayMs: number;
}

/** What happens to worker processes, one method per event: each updates the metrics and writes the log. */
export class WorkerTelemetry {
  readonly logger: Logger;
  readonly #states: Gauge<'state'>;
  readonly #crashes: Counter<'cause'>;
  readonly #reloads: Counter<'outcome'>;

  constructor({ logger, registry }: { readonly logger: Logger; readonly registry: MetricsRegistry }) {
    this.logger = logger;
    this.#states = registry.gauge(metricCatalogue.workers);
    this.#crashes = registry.counter(metricCatalogue.workerEnds);
    this.#reloads = registry.counter(metricCatalogue.reloads);
    for (const outcome of ['done', 'refused']) this.#reloads.add({ outcome }, 0);
    for (const cause of ['exit', 'signal', 'start']) this.#crashes.add({ cause }, 0);
  }

  /** How many workers are in which state. */
  states(now: readonly WorkerState[]): void {
    for (const state of workerStates) this.#states.set({ state }, now.filter((one) => one === state).length);
  }

  /** A worker takes requests. */
  serving({ worker, pid }: { readonly worker: number; readonly pid: number }): void {
    this.logger.info('worker serves', { worker, pid });
  }

  /** A worker that was told to end did not, and is killed. */
  killed({ worker, pid }: { readonly worker: number; readonly pid: number }): void {
    this.logger.warn('worker is killed: it did not end in time', { worker, pid });
  }

  crashed({ worker, pid, cause, reason, delayMs }: WorkerCrash): void {
    this.#crashes.add({ cause });
    this.logger.error('worker ended; another is started', { worker, pid, reason, delay_ms: delayMs });
  }

  /** A configuration is in use from now on. */
  reloaded(): void {
    this.#reloads.add({ outcome: 'done' });
    this.logger.info('configuration reloaded');
  }

  /** A configuration was not taken; nothing changed. */
  reloadRefused(error: unknown): void {
    this.#reloads.add({ outcome: 'refused' });
    this.logger.error('reload refused: the gateway goes on as it was', errorFields(error));
  }
}
