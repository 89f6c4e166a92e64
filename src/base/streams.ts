import type { ByteIterator, ByteStream } from './byte-stream.ts';
import { ownedStream } from './owned-stream.ts';

/** A stream of the given chunks. */
// eslint-disable-next-line typescript/require-await -- a stream by contract, though it never waits
export async function* streamOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

/** One stream after the other; ending early, also before the first chunk, releases all of them. */
export function concatenate(...streams: readonly ByteStream[]): ByteStream {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const [first] = iterators;
      if (first === undefined) return undefined;
      const step = await first.next();
      if (step.done !== true) return step.value;
      iterators.shift();
    }
  };
  return ownedStream(next, async () => {
    // One that does not let go must not keep the others.
    await Promise.allSettled(iterators.map(async (iterator) => iterator.return?.()));
  });
}

/**
 * The same stream, each chunk given only when the next one is there: a source that fails at its end, because a checksum
 * did not match, never had its last bytes handed on.
 */
export function holdBackLast(source: ByteStream): ByteStream {
  const chunks = source[Symbol.asyncIterator]();
  let held: Uint8Array | undefined;
  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const step = await chunks.next();
      const given = held;
      if (step.done === true) {
        held = undefined;
        return given;
      }
      if (step.value.length === 0) continue;
      held = step.value;
      if (given !== undefined) return given;
    }
  };
  return ownedStream(next, async () => {
    await chunks.return?.();
  });
}

/**
 * Waits for the first chunk, so that a stream that fails at once fails here, where an error can still be answered.
 * The result must be iterated or ended.
 */
export async function primed(source: ByteStream): Promise<ByteStream> {
  const iterator = source[Symbol.asyncIterator]();
  return new PrimedStream(await iterator.next(), iterator);
}

class PrimedStream implements ByteStream, ByteIterator {
  #first: IteratorResult<Uint8Array> | undefined;
  readonly #rest: ByteIterator;

  constructor(first: IteratorResult<Uint8Array>, rest: ByteIterator) {
    this.#first = first;
    this.#rest = rest;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    return this.#first === undefined ? this.#rest.ready?.() : undefined;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const first = this.#first;
    if (first === undefined) return this.#rest.next();
    this.#first = undefined;
    return Promise.resolve(first);
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.#rest.return?.();
    return { done: true, value: undefined };
  }
}

/**
 * The same stream; `release` runs once when it ends, fails or is ended early. What is released may be in use by a step
 * that is under way when the stream is left: it waits for that.
 */
export function releasing(source: ByteStream, release: () => void): ByteStream {
  const chunks = source[Symbol.asyncIterator]();
  let step: Promise<unknown> = Promise.resolve();
  const next = async (): Promise<Uint8Array | undefined> => {
    const taking = chunks.next();
    step = taking;
    const { done, value } = await taking;
    return done === true ? undefined : value;
  };
  const close = async (): Promise<void> => {
    // Not awaited: the step may wait for a source that ends only because it is left.
    void step.then(release, release);
    await chunks.return?.();
  };
  return ownedStream(next, close, () => chunks.ready?.());
}

/** Reads a stream whole. @throws what `tooLong` gives, when there are more than `maxBytes`. */
export async function readAll(source: ByteStream, maxBytes: number, tooLong: () => Error): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > maxBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
