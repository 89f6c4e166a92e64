/**
 * The one body type of the gateway: chunks of bytes, pulled by the consumer, which is what gives backpressure.
 * A producer never reuses a chunk's memory after yielding it (but may hand it over: see chunk-memory.ts). Ending the iteration early (`return`) releases the source.
 */
export type ByteStream = AsyncIterable<Uint8Array>;
