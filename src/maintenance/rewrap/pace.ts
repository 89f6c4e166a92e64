import { setTimeout as delay } from 'node:timers/promises';

/** Lets so many calls a second begin, evenly; nothing is saved up while nobody calls. */
export class Pace {
  readonly #everyMs: number;
  #nextMs = 0;

  /** @param perSecond 0: as many as come. */
  constructor(perSecond: number) {
    this.#everyMs = perSecond === 0 ? 0 : 1000 / perSecond;
  }

  /** Waits for a turn. @throws the signal's reason. */
  async turn(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#everyMs === 0) return;
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + this.#everyMs;
    if (atMs > nowMs) await delay(atMs - nowMs, undefined, signal === undefined ? {} : { signal });
  }
}

/** Runs `work` on every item, so many at a time; ends when all have ended, with the first error there was. */
export async function concurrently<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (errors.length > 0) return;
      try {
        await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
}
