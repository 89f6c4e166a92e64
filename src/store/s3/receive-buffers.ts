import type { Socket } from 'node:net';

import { lendPart } from '../../base/chunk-memory.ts';
import type { FlowBudget } from '../../base/flow-budget.ts';

/** Longest first read: the head of an answer and a segment, which is decrypted while more is on its way. */
const firstBytes = 72 * 1024;
/** Longest read into the buffer that all share. */
const sharedBytes = 256 * 1024;
/** Longest read of a large body: the longer, the fewer times sender and receiver have to wake each other. */
const ownBytes = 1024 * 1024;
/** From this on a read is one of a large body, and worth a buffer. */
const largeBytes = 64 * 1024;
/** In the middle of a large body a read may be shorter than that; from this on the socket keeps its buffer. */
const goingOnBytes = 8 * 1024;
/** Buffers beside the shared one, for all sockets of a process. */
const mostBuffers = 8;

/** For the option `onread` of a socket: see `net.connect`. */
export interface Receiver {
  buffer(): Uint8Array;
  callback(this: Socket, lengthBytes: number, buffer: Uint8Array): boolean;
}

/**
 * Where the sockets of backends read into. All of them share one buffer, each in its turn, and copy what came: without it a
 * socket makes 64 KiB of memory for each read, however short, and never reads more. One that is in the middle of a large
 * body gets a buffer for each read, which is handed on as it is and comes back when its bytes were used; where there is none
 * left, it shares a larger one with others.
 */
export class ReceiveBuffers implements Receiver {
  readonly #first = Buffer.allocUnsafeSlow(firstBytes);
  readonly #shared = Buffer.allocUnsafeSlow(sharedBytes);
  readonly #budget: FlowBudget;
  readonly #free: Uint8Array[] = [];
  #made = 0;
  /** What the socket that has just been read from reads into next. */
  #next: Uint8Array = this.#first;
  /** Buffers whose bytes nobody released. */
  readonly #lost = new FinalizationRegistry<undefined>(() => {
    this.#made -= 1;
  });
  readonly callback: Receiver['callback'];

  /** @param budget says whether there is memory for large reads. */
  constructor(budget: FlowBudget) {
    this.#budget = budget;
    const received = (buffer: Uint8Array, lengthBytes: number): Uint8Array => this.#received(buffer, lengthBytes);
    this.callback = function (this: Socket, lengthBytes, buffer) {
      return this.push(received(buffer, lengthBytes));
    };
    this.buffer = this.buffer.bind(this);
  }

  /** Node asks when a socket is made, and each time after `callback`. */
  buffer(): Uint8Array {
    const next = this.#next;
    this.#next = this.#first;
    return next;
  }

  /** The bytes as a chunk. */
  #received(buffer: Uint8Array, lengthBytes: number): Uint8Array {
    const isLarge = lengthBytes >= largeBytes;
    const isOwn = buffer !== this.#first && buffer !== this.#shared;
    if (isLarge) this.#next = this.#budget.limitBytes > sharedBytes ? this.#take() : this.#shared;
    if (isOwn && isLarge) {
      lendPart(buffer.buffer, lengthBytes, () => this.#free.push(buffer));
      return buffer.subarray(0, lengthBytes);
    }
    const chunk = Buffer.allocUnsafeSlow(lengthBytes);
    chunk.set(buffer.subarray(0, lengthBytes));
    if (isOwn && lengthBytes >= goingOnBytes) this.#next = buffer;
    else if (isOwn) this.#free.push(buffer);
    return chunk;
  }

  #take(): Uint8Array {
    const free = this.#free.pop();
    if (free !== undefined || this.#made >= mostBuffers) return free ?? this.#shared;
    this.#made += 1;
    const made = Buffer.allocUnsafeSlow(ownBytes);
    this.#lost.register(made, undefined);
    return made;
  }
}
