import type { ByteStream } from './byte-stream.ts';

/** A stream of the given chunks. */
// eslint-disable-next-line typescript/require-await -- a stream by contract, though it never waits
export async function* streamOf(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

/** One stream after the other; ending early releases all of them. */
export async function* concatenate(...streams: readonly ByteStream[]): AsyncGenerator<Uint8Array, void, undefined> {
  let next = 0;
  try {
    for (const stream of streams) {
      next += 1;
      yield* stream;
    }
  } finally {
    for (const stream of streams.slice(next)) await stream[Symbol.asyncIterator]().return?.();
  }
}

/**
 * The same stream, each chunk given only when the next one is there: a source that fails at its end, because a checksum
 * did not match, never had its last bytes handed on.
 */
export async function* holdBackLast(source: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Uint8Array | undefined;
  for await (const chunk of source) {
    if (chunk.length === 0) continue;
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}

/**
 * Waits for the first chunk, so that a stream that fails at once fails here, where an error can still be answered.
 * The result must be iterated or ended.
 */
export async function primed(source: ByteStream): Promise<ByteStream> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await iterator.next();
  return {
    [Symbol.asyncIterator]() {
      let given = false;
      return {
        next(): Promise<IteratorResult<Uint8Array>> {
          if (given) return iterator.next();
          given = true;
          return Promise.resolve(first);
        },
        async return(): Promise<IteratorResult<Uint8Array>> {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** The same stream; `release` runs once when it ends, fails or is ended early. */
export async function* releasing(source: ByteStream, release: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* source;
  } finally {
    release();
  }
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
