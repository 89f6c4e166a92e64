import { systemClock, type Clock } from '../base/clock.ts';
import type { KeyProvider } from './key-provider.ts';
import type { RotationSchedule } from './rotation-schedule.ts';

/** Longest timer: the clock may be set meanwhile, and Node's timers end at 24 days. */
const longestWaitMs = 60 * 60_000;
/** After this time without an outcome somebody else takes a rotation over. */
const leaseMs = 60_000;
const maxTakeovers = 3;

/** One time of a key's schedule. */
export interface DueRotation {
  readonly keyName: string;
  readonly dueMs: number;
}

/** What a lease says: nobody had the rotation, and now we have it; somebody has it; it is done. */
export type LeaseState = 'claimed' | 'taken' | 'done';

/**
 * Port to what replicas agree by on who rotates. Of any number of callers at once one gets `claimed`; who has claimed and
 * says nothing for `leaseMs` can be followed by another one.
 */
export interface RotationLease {
  /** `current` is the version of now: where the first claim had another one, that rotation was made, and it is `done`. */
  claim(due: DueRotation, claim: { readonly leaseMs: number; readonly current: string }): Promise<LeaseState>;
  /** The rotation is made; others get `done` from now on. */
  finish(due: DueRotation, version: string): Promise<void>;
}

/** Who hears of rotations; must not throw. */
export interface RotationEvents {
  /** The key is about to be rotated. */
  started(event: { readonly keyName: string }): void;
  /** Another replica has, or has made, the rotation. */
  skipped(event: { readonly keyName: string; readonly reason: 'taken' | 'done' }): void;
  rotated(event: { readonly keyName: string; readonly previous: string; readonly current: string }): void;
  failed(event: { readonly keyName: string; readonly error: unknown }): void;
}

/** What is rotated when. */
export interface RotationSchedulerOptions {
  readonly schedules: ReadonlyMap<string, RotationSchedule>;
  readonly providers: ReadonlyMap<string, KeyProvider>;
  readonly lease: RotationLease;
  readonly events: RotationEvents;
  readonly clock?: Clock;
}

/**
 * Rotates keys by their schedules, each time in one replica. A time that passes while no replica runs is not made up for. The
 * timers keep no process alive.
 */
export class RotationScheduler implements Disposable {
  readonly #options: RotationSchedulerOptions;
  readonly #clock: Clock;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isOver = false;

  constructor(options: RotationSchedulerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    for (const [keyName, schedule] of options.schedules) this.#plan(keyName, schedule);
  }

  /** Rotates for this time, unless another replica has it. Never rejects. */
  async run(due: DueRotation): Promise<LeaseState | 'failed'> {
    const { lease, events, providers } = this.#options;
    const { keyName } = due;
    try {
      const provider = providers.get(keyName);
      if (provider?.rotate === undefined) throw new Error('the key service does not let the gateway rotate this key');
      const [previous = ''] = (await provider.describe()).versions;
      const state = await lease.claim(due, { leaseMs, current: previous });
      if (state !== 'claimed') {
        events.skipped({ keyName, reason: state });
        return state;
      }
      events.started({ keyName });
      const current = await provider.rotate();
      events.rotated({ keyName, previous, current });
      await lease.finish(due, current);
      return state;
    } catch (error) {
      events.failed({ keyName, error });
      return 'failed';
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #plan(keyName: string, schedule: RotationSchedule): void {
    const dueMs = schedule.after(this.#clock.now());
    if (dueMs !== undefined) this.#wait(keyName, { keyName, dueMs }, () => this.#plan(keyName, schedule));
  }

  #wait(keyName: string, due: DueRotation, next: () => void): void {
    if (this.#isOver) return;
    const leftMs = due.dueMs - this.#clock.now();
    const ring = (): void => {
      if (due.dueMs > this.#clock.now()) this.#wait(keyName, due, next);
      else void this.#come(due, next);
    };
    this.#timers.set(keyName, setTimeout(ring, Math.min(Math.max(leftMs, 0), longestWaitMs)).unref());
  }

  async #come(due: DueRotation, next: () => void): Promise<void> {
    await this.#attempt(due, 0);
    next();
  }

  /** Looks again after the lease's time where it is not done: whoever had the rotation may be gone, the key service back. */
  async #attempt(due: DueRotation, attempt: number): Promise<void> {
    const state = await this.run(due);
    if (state === 'claimed' || state === 'done' || this.#isOver || attempt === maxTakeovers) return;
    const timer = setTimeout(() => void this.#followUp(due, attempt + 1), leaseMs + 1000).unref();
    this.#timers.set(`${due.keyName} ${due.dueMs}`, timer);
  }

  async #followUp(due: DueRotation, attempt: number): Promise<void> {
    this.#timers.delete(`${due.keyName} ${due.dueMs}`);
    await this.#attempt(due, attempt);
  }
}
