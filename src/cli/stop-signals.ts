import type { EventEmitter } from 'node:events';

import { systemClock, type Clock } from '../base/clock.ts';

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/** A signal that asks a program to stop. */
export type StopSignal = (typeof stopSignals)[number];

/** What a shell sees of a program that a signal ended. */
export const signalExitCodes: Readonly<Record<StopSignal, number>> = { SIGTERM: 143, SIGINT: 130 };

/**
 * One Ctrl-C arrives several times at nearly one moment: from the terminal, and from npm, npx and the launcher, which each
 * pass their own on. Within this time it is the same one.
 */
const sameSignalMs = 500;

/** For tests: where signals come from, how the process ends, the time. */
export interface StopSignalsOptions {
  readonly source?: Pick<EventEmitter, 'on' | 'off'>;
  readonly exit?: (code: number) => void;
  readonly clock?: Clock;
}

/** Hears SIGTERM and SIGINT: the first asks to stop, a SIGINT after it ends the process at once with code 130. */
export class StopSignals implements Disposable {
  readonly #source: Pick<EventEmitter, 'on' | 'off'>;
  readonly #exit: (code: number) => void;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #listeners = new Map(stopSignals.map((signal) => [signal, () => this.#hear(signal)]));
  #first: { readonly signal: StopSignal; readonly atMs: number } | undefined;

  constructor({ source = process, exit = (code) => process.exit(code), clock = systemClock }: StopSignalsOptions = {}) {
    this.#source = source;
    this.#exit = exit;
    this.#clock = clock;
    for (const [signal, listener] of this.#listeners) source.on(signal, listener);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The first signal, once it came. */
  get received(): StopSignal | undefined {
    return this.#first?.signal;
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) this.#source.off(signal, listener);
  }

  #hear(signal: StopSignal): void {
    const atMs = this.#clock.now();
    if (this.#first === undefined) {
      this.#first = { signal, atMs };
      this.#controller.abort(new DOMException(`stopped by ${signal}`, 'AbortError'));
    } else if (signal === 'SIGINT' && atMs - this.#first.atMs >= sameSignalMs) {
      this.#exit(signalExitCodes.SIGINT);
    }
  }
}
