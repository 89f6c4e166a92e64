import type { ByteIterator, ByteStream } from './byte-stream.ts';

type Step = IteratorResult<Uint8Array, undefined>;

/**
 * A stream of what `next` gives until undefined, to be iterated once. `close` runs exactly once: at the end, on an error,
 * or when the stream is left early, also before its first step (where the `finally` of an async generator would not run).
 * `ready` gives what is at hand, as that of a ByteIterator.
 */
export function ownedStream(
  next: () => Promise<Uint8Array | undefined>,
  close: () => Promise<void>,
  ready?: () => Uint8Array | undefined,
): ByteStream {
  return new OwnedStream(next, close, ready);
}

/** A class, as object literals with a computed name cost several times as much to make. */
class OwnedStream implements ByteStream, ByteIterator {
  readonly #next: () => Promise<Uint8Array | undefined>;
  readonly #close: () => Promise<void>;
  readonly #ready: (() => Uint8Array | undefined) | undefined;
  #isClosed = false;

  constructor(
    next: () => Promise<Uint8Array | undefined>,
    close: () => Promise<void>,
    ready: (() => Uint8Array | undefined) | undefined,
  ) {
    this.#next = next;
    this.#close = close;
    this.#ready = ready;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    return this.#isClosed ? undefined : this.#ready?.();
  }

  async next(): Promise<Step> {
    if (this.#isClosed) return { done: true, value: undefined };
    try {
      const value = await this.#next();
      if (value !== undefined) return { done: false, value };
    } catch (error) {
      // The first error is the one that counts; closing a broken source may well fail too.
      await this.return().catch(() => {});
      throw error;
    }
    return await this.return();
  }

  async return(): Promise<Step> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      await this.#close();
    }
    return { done: true, value: undefined };
  }
}
