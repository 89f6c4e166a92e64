/**
 * Memory of large chunks, given back at once instead of by the garbage collector. A stream of 1 GB makes several GB of
 * chunks; collecting them cost more CPU than encrypting them, and let them pile up until it ran.
 *
 * A producer that keeps no reference hands a chunk over. Whoever is the last to look at a chunk releases it: then its
 * views have length 0, so that a use afterwards is an error and never other bytes. Chunks that were not handed over,
 * and views of a chunk (`subarray`), are left to the garbage collector: to release them does nothing.
 */
const handedOver = new WeakSet<Uint8Array>();

/** Smaller ones cost more to keep account of than to collect. */
const worthwhileBytes = 16 * 1024;

/** Says that nobody but whoever gets this chunk uses its memory. @returns The chunk. */
export function handOver<Chunk extends Uint8Array>(chunk: Chunk): Chunk {
  const isWhole = chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
  if (isWhole && chunk.byteLength >= worthwhileBytes) handedOver.add(chunk);
  return chunk;
}

/** Takes a chunk out of this: it is used again after whoever gets it now. */
export function keep(chunk: Uint8Array): void {
  handedOver.delete(chunk);
}

/** Frees the memory of a chunk that was handed over; nothing may use it any more, the operating system included. */
export function release(chunk: Uint8Array): void {
  if (handedOver.delete(chunk)) free(chunk);
}

/** Frees the memory of a chunk that its caller made for itself; all of its buffer, whatever else is in it. */
export function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
