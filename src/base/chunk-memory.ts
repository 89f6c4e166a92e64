/**
 * Memory of large chunks, given back at once instead of by the garbage collector. A stream of 1 GB makes several GB of
 * chunks; collecting them cost more CPU than encrypting them, and let them pile up until it ran.
 *
 * A producer that keeps no reference hands a chunk over. Whoever is the last to look at a chunk releases it: then its
 * views have length 0, so that a use afterwards is an error and never other bytes; only where the memory is a part of a
 * larger buffer (`lendPart`) is it other bytes. Chunks that were not handed over, and views of a chunk (`subarray`), are
 * left to the garbage collector: to release them does nothing.
 */
const handedOver = new WeakMap<Uint8Array, Fate>();
const partsLent = new WeakMap<ArrayBufferLike, LentPart>();

/** What becomes of a chunk's memory once it is released; the buffer has no other reference. */
export type Reuse = (buffer: ArrayBuffer) => void;

/** Either all of the chunk's buffer is reused, or the buffer goes back to whom it belongs. */
type Fate = { readonly reuse: Reuse } | { readonly giveBack: () => void };

/** The first bytes of a buffer, until they are handed over. */
interface LentPart {
  readonly lengthBytes: number;
  readonly giveBack: () => void;
}

/** Smaller ones cost more to keep account of than to collect. */
const worthwhileBytes = 16 * 1024;

/** Says that nobody but whoever gets this chunk uses its memory, which is freed, or reused. @returns The chunk. */
export function handOver<Chunk extends Uint8Array>(chunk: Chunk, reuse: Reuse = letGo): Chunk {
  const isWhole = chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
  if (!isWhole) handOverPart(chunk);
  else if (chunk.byteLength >= worthwhileBytes) handedOver.set(chunk, { reuse });
  return chunk;
}

/**
 * Says that the first `lengthBytes` of a buffer are one chunk, whoever makes the view of them that is handed over: when that
 * is released, the buffer is given back. Where no such view is handed over, it never is.
 */
export function lendPart(buffer: ArrayBufferLike, lengthBytes: number, giveBack: () => void): void {
  partsLent.set(buffer, { lengthBytes, giveBack });
}

function handOverPart(chunk: Uint8Array): void {
  const part = partsLent.get(chunk.buffer);
  if (part === undefined) return;
  // A view of less: what else there is of the part nobody can tell here.
  partsLent.delete(chunk.buffer);
  if (chunk.byteOffset === 0 && chunk.byteLength === part.lengthBytes) handedOver.set(chunk, part);
}

/**
 * As `handOver`, also of the end of a part that was lent, where nobody uses what is in front of it any more: the body of an
 * answer behind its head.
 */
export function handOverEnd<Chunk extends Uint8Array>(chunk: Chunk): Chunk {
  const part = partsLent.get(chunk.buffer);
  if (part === undefined) return handOver(chunk);
  partsLent.delete(chunk.buffer);
  if (chunk.byteOffset + chunk.byteLength === part.lengthBytes) handedOver.set(chunk, part);
  return chunk;
}

/** Takes a chunk out of this: it is used again after whoever gets it now. */
export function keep(chunk: Uint8Array): void {
  handedOver.delete(chunk);
}

/** As `keep`. @returns Whether the chunk's memory is the caller's alone, all of its buffer: it was handed over. */
export function claim(chunk: Uint8Array): boolean {
  const fate = handedOver.get(chunk);
  return fate !== undefined && 'reuse' in fate && handedOver.delete(chunk);
}

/** Frees the memory of a chunk that was handed over; nothing may use it any more, the operating system included. */
export function release(chunk: Uint8Array): void {
  const fate = handedOver.get(chunk);
  if (fate === undefined || !(chunk.buffer instanceof ArrayBuffer)) return;
  handedOver.delete(chunk);
  if ('reuse' in fate) fate.reuse(chunk.buffer.transfer());
  else fate.giveBack();
}

/** Frees the memory of a chunk that its caller made for itself; all of its buffer, whatever else is in it. */
export function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

function letGo(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}
