import { messageOf } from '../base/message-of.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Health } from '../base/health.ts';

/** Asks a dependency how it is; the signal ends the question. */
export type HealthCheck = (signal: AbortSignal) => Promise<Health>;

/** What `/ready` says: every dependency by name. */
export interface Readiness {
  readonly ok: boolean;
  readonly dependencies: Readonly<Record<string, Health>>;
}

/** How often and how long dependencies are asked. */
export interface ReadinessOptions {
  /** Checks by the name of the dependency, e.g. `backend:main`. */
  readonly checks: Readonly<Record<string, HealthCheck>>;
  /** How long an answer stands; default 2 s. */
  readonly cacheMs?: number;
  /** Longest wait for one answer; default 3 s. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

const maxReasonLength = 500;

/**
 * Asks all dependencies at once, each for a bounded time; many callers at a time make one round of questions, and its
 * answers stand for a moment, so that probes never become load.
 */
export class ReadinessProbe {
  readonly #options: ReadinessOptions;
  readonly #clock: Clock;
  #last: { readonly at: number; readonly answer: Promise<Readiness> } | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The state of all dependencies; never rejects. */
  check(): Promise<Readiness> {
    const now = this.#clock.now();
    if (this.#last !== undefined && now - this.#last.at < (this.#options.cacheMs ?? 2000)) return this.#last.answer;
    const answer = this.#ask();
    this.#last = { at: now, answer };
    return answer;
  }

  async #ask(): Promise<Readiness> {
    const names = Object.keys(this.#options.checks);
    const answers = await Promise.all(Object.values(this.#options.checks).map((check) => this.#askOne(check)));
    const dependencies = Object.fromEntries(answers.map((health, index) => [names[index] ?? '', health]));
    return { ok: answers.every(({ ok }) => ok), dependencies };
  }

  async #askOne(check: HealthCheck): Promise<Health> {
    const timeoutMs = this.#options.timeoutMs ?? 3000;
    const controller = new AbortController();
    const { promise: timedOut, resolve } = Promise.withResolvers<Health>();
    const timer = setTimeout(() => {
      resolve({ ok: false, reason: `no answer within ${timeoutMs} ms` });
      controller.abort();
    }, timeoutMs);
    try {
      // A check that ignores its signal must not hold up the probe.
      return bounded(await Promise.race([check(controller.signal), timedOut]));
    } catch (error) {
      return bounded({ ok: false, reason: messageOf(error) });
    } finally {
      clearTimeout(timer);
    }
  }
}

function bounded({ ok, reason }: Health): Health {
  return reason === undefined ? { ok } : { ok, reason: reason.slice(0, maxReasonLength) };
}
