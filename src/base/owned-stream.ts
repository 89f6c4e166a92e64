import type { ByteIterator, ByteStream } from './byte-stream.ts';

/**
 * A stream of what `next` gives until undefined, to be iterated once. `close` runs exactly once: at the end, on an error,
 * or when the stream is left early, also before its first step (where the `finally` of an async generator would not run).
 * `ready` gives what is at hand, as that of a ByteIterator.
 */
export function ownedStream(
  next: () => Promise<Uint8Array | undefined>,
  close: () => Promise<void>,
  ready: () => Uint8Array | undefined = () => undefined,
): ByteStream {
  const done = { done: true, value: undefined } as const;
  let closed = false;
  const finish = async () => {
    if (!closed) {
      closed = true;
      await close();
    }
    return done;
  };
  const iterator: ByteIterator = {
    ready: () => (closed ? undefined : ready()),
    next: async () => {
      if (closed) return done;
      try {
        const value = await next();
        if (value !== undefined) return { done: false, value };
      } catch (error) {
        // The first error is the one that counts; closing a broken source may well fail too.
        await finish().catch(() => {});
        throw error;
      }
      return finish();
    },
    return: finish,
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
