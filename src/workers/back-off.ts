/** How long to wait, and until when to remember. */
export interface BackOffOptions {
  /** Most before the first new try; default 200 ms. */
  readonly firstMs?: number;
  /** Most before any; default 30 s. */
  readonly mostMs?: number;
  /** What ran so long was well: the next failure is a first one again; default 60 s. */
  readonly wellAfterMs?: number;
  /** From 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
}

/** Waits between tries of what fails again and again: each may be twice as long as the one before, and no two are alike. */
export class BackOff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #wellAfterMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({ firstMs = 200, mostMs = 30_000, wellAfterMs = 60_000, random = Math.random }: BackOffOptions = {}) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#wellAfterMs = wellAfterMs;
    this.#random = random;
  }

  /**
   * It failed after running for `ranMs`: milliseconds to wait now. At least half of what the number of failures allows, so
   * that there is never a tight loop.
   */
  next(ranMs: number): number {
    if (ranMs >= this.#wellAfterMs) this.#failures = 0;
    const limitMs = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures);
    // Beyond this number nothing changes, and powers would overflow in the end.
    this.#failures = Math.min(this.#failures + 1, 32);
    return Math.round((limitMs / 2) * (1 + this.#random()));
  }
}
