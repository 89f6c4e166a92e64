import type { ByteStream } from '../../src/base/byte-stream.ts';

/**
 * The chunks of a stream, read by `ready` where they are at hand, and by `next` else; each third one by `next` in any case, so
 * that what the two do for each other is tested too.
 */
export async function* mixedReads(stream: ByteStream): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (let turn = 0; ; turn += 1) {
      const chunk = turn % 3 === 2 ? undefined : iterator.ready?.();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      isOver = true;
      const step = await iterator.next();
      if (step.done === true) return;
      isOver = false;
      yield step.value;
    }
  } finally {
    if (!isOver) await iterator.return?.();
  }
}

/** A stream of chunks of which some are at hand and each fourth has to be waited for. */
export function mixedStream(chunks: readonly Uint8Array[]): ByteStream {
  let position = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      ready: () => (position % 4 === 3 ? undefined : chunks[position++]),
      next: async () => {
        await Promise.resolve();
        const value = chunks[position++];
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => {
        position = chunks.length;
        return { done: true, value: undefined };
      },
    }),
  };
}
