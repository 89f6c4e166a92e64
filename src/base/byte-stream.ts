/**
 * The one body type of the gateway: chunks of bytes, pulled by the consumer, which is what gives backpressure.
 * A producer never reuses a chunk's memory after yielding it (but may hand it over: see chunk-memory.ts). Ending the iteration early (`return`) releases the source.
 */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  [Symbol.asyncIterator](): ByteIterator;
}

/** One iteration of a ByteStream. */
export interface ByteIterator extends AsyncIterator<Uint8Array> {
  /**
   * The next chunk where it is at hand, which spares the promises of `next`: a large body passes through a dozen of
   * iterators. Undefined where `next` has to be asked: there is something to wait for, the end, or an error. Never throws,
   * and is not called while a `next` is under way.
   */
  ready?(): Uint8Array | undefined;
}
