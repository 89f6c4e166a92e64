import type { ByteStream } from './byte-stream.ts';
import { ownedStream } from './owned-stream.ts';

/**
 * The first `lengthBytes` of a stream, and what comes after them. The first is to be read to its end before the second;
 * leaving it early, or the source's failure, ends the source.
 */
export function cut(source: ByteStream, lengthBytes: number): readonly [ByteStream, ByteStream] {
  const chunks = source[Symbol.asyncIterator]();
  let missing = lengthBytes;
  let left: Uint8Array | undefined;
  const before = ownedStream(
    async () => {
      if (missing === 0) return undefined;
      const step = await chunks.next();
      if (step.done === true) return undefined;
      const given = step.value.subarray(0, missing);
      if (given.length < step.value.length) left = step.value.subarray(given.length);
      missing -= given.length;
      return given;
    },
    async () => {
      if (missing > 0) await chunks.return?.();
    },
  );
  const after = ownedStream(
    async () => {
      const given = left;
      left = undefined;
      if (given !== undefined) return given;
      const step = await chunks.next();
      return step.done === true ? undefined : step.value;
    },
    async () => {
      await chunks.return?.();
    },
  );
  return [before, after];
}
