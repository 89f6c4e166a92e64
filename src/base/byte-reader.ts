import type { ByteIterator, ByteStream } from './byte-stream.ts';
import { claim, release } from './chunk-memory.ts';
import { CodedError } from './coded-error.ts';
import { ownedStream } from './owned-stream.ts';

/** The stream ended before the bytes that were asked for. */
export class UnexpectedEndError extends CodedError<'unexpected_end'> {
  constructor(wantedBytes: number, gotBytes: number) {
    super('unexpected_end', `stream ended after ${gotBytes} of ${wantedBytes} bytes`);
  }
}

/** A reader was used after it was closed. */
export class ReaderClosedError extends CodedError<'closed'> {
  constructor() {
    super('closed', 'stream was read after it was closed');
  }
}

/**
 * Reads a ByteStream in exact lengths without losing what comes after. One reader at a time; calls must not overlap.
 * Pulls a chunk only when the bytes at hand do not suffice, and hands out views of the chunks, not copies.
 */
export class ByteReader {
  readonly #source: ByteIterator;
  /** At hand, in order; none is empty. */
  #chunks: Uint8Array[] = [];
  /** How much of the first of them was read. */
  #readBytes = 0;
  /** What of all of them was not read. */
  #bytesAtHand = 0;
  #ended = false;
  #isClosed = false;
  #failure: Error | undefined;

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** What can be read without waiting. */
  get bytesAtHand(): number {
    return this.#bytesAtHand;
  }

  /** The next `length` bytes as pieces (none of them empty); fewer only where the stream ends. */
  async read(length: number): Promise<Uint8Array[]> {
    await this.wait(length);
    return this.#take(length);
  }

  /**
   * What `use` makes of the pieces that `read` would give. They are its alone, and only until it returns: then the memory of
   * chunks that are used up is freed, where they were handed over (see chunk-memory.ts).
   */
  async lend<Result>(length: number, use: (pieces: Uint8Array[]) => Result): Promise<Result> {
    await this.wait(length);
    return this.lendNow(length, use);
  }

  /** As `lend`, of what is at hand. */
  lendNow<Result>(length: number, use: (pieces: Uint8Array[]) => Result): Result {
    const usedUp: Uint8Array[] = [];
    const pieces = this.#take(length, usedUp);
    try {
      return use(pieces);
    } finally {
      for (const chunk of usedUp) release(chunk);
    }
  }

  /** Resolves when so many bytes are at hand, or the stream has ended. */
  async wait(length: number): Promise<void> {
    while (!this.gather(length) && !this.#ended) {
      const step = await this.#advance();
      if (step.done === true) this.#ended = true;
      else this.#add(step.value);
    }
  }

  /** Takes what the source has at hand, up to about `length`. @returns Whether so many bytes can be read without waiting. */
  gather(length: number): boolean {
    while (this.#bytesAtHand < length && !this.#isOver()) {
      const chunk = this.#source.ready?.();
      if (chunk === undefined) return false;
      this.#add(chunk);
    }
    return this.#bytesAtHand >= length;
  }

  /**
   * As `read`, but each piece is alone in its memory, which is the caller's: it may go to another thread. Chunks that were
   * handed over are given as they are; only what lies in a chunk that is not, or not used up, is copied.
   */
  async own(length: number): Promise<Uint8Array[]> {
    await this.wait(length);
    const usedUp: Uint8Array[] = [];
    const pieces = this.#take(length, usedUp);
    const owned: Uint8Array[] = [];
    let copied: Uint8Array[] = [];
    // Each piece but the last has used up its chunk.
    for (const [index, piece] of pieces.entries()) {
      const chunk = usedUp[index];
      if (chunk === undefined || !claim(chunk)) copied.push(piece);
      else {
        if (copied.length > 0) owned.push(copyOf(copied));
        copied = [];
        owned.push(piece);
      }
    }
    if (copied.length > 0) owned.push(copyOf(copied));
    // Does nothing to those that were claimed.
    for (const chunk of usedUp) release(chunk);
    return owned;
  }

  /**
   * The next `length` bytes in one piece; copies only where they lie in several chunks.
   * @throws UnexpectedEndError when the stream ends before.
   */
  async readExact(length: number): Promise<Uint8Array> {
    const pieces = await this.read(length);
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined && first.length === length) return first;
    const gathered = Buffer.concat(pieces);
    if (gathered.length !== length) throw new UnexpectedEndError(length, gathered.length);
    return gathered;
  }

  /** Whether nothing is left; pulls at most the chunks it needs to know. */
  async atEnd(): Promise<boolean> {
    await this.wait(1);
    return this.#bytesAtHand === 0;
  }

  /**
   * Everything not read yet, as a stream that may be iterated once; the reader must not be used beside it.
   * Returning early closes the source, even where iteration never started.
   */
  rest(): ByteStream {
    const ready = (): Uint8Array | undefined => (this.gather(1) ? this.#takePiece(this.#bytesAtHand) : undefined);
    const next = async (): Promise<Uint8Array | undefined> => {
      await this.wait(1);
      return this.#takePiece(this.#bytesAtHand);
    };
    return ownedStream(next, () => this.close(), ready);
  }

  /**
   * Releases the source (its iterator's `return`). Reading afterwards throws, unless the end had been reached: a stream
   * that was left is not one that ended, and nobody is to seal half a message as a whole one. Calling it again does
   * nothing.
   */
  async close(): Promise<void> {
    this.#chunks = [];
    this.#bytesAtHand = 0;
    if (this.#isOver()) return;
    this.#isClosed = true;
    await this.#source.return?.();
  }

  #take(length: number, usedUp?: Uint8Array[]): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = this.#takePiece(missing, usedUp);
      if (piece === undefined) break;
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces;
  }

  /** What is left of the first chunk, up to `mostBytes`; undefined where nothing is at hand. */
  #takePiece(mostBytes: number, usedUp?: Uint8Array[]): Uint8Array | undefined {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return undefined;
    const start = this.#readBytes;
    const lengthBytes = Math.min(mostBytes, chunk.length - start);
    this.#bytesAtHand -= lengthBytes;
    this.#readBytes += lengthBytes;
    if (this.#readBytes === chunk.length) {
      this.#chunks.shift();
      this.#readBytes = 0;
      usedUp?.push(chunk);
    }
    return lengthBytes === chunk.length ? chunk : chunk.subarray(start, start + lengthBytes);
  }

  #add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#bytesAtHand += chunk.length;
  }

  /** One step of the source. What it threw is thrown again later: a broken stream has not ended either. */
  async #advance(): Promise<IteratorResult<Uint8Array>> {
    this.#throwIfOver();
    try {
      const step = await this.#source.next();
      this.#throwIfOver();
      return step;
    } catch (error) {
      if (!this.#isClosed)
        this.#failure ??= error instanceof Error ? error : new Error('stream failed', { cause: error });
      this.#throwIfOver();
      throw error;
    }
  }

  /** May be called during an await, which the compiler does not consider. */
  #throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new ReaderClosedError();
  }

  #isOver(): boolean {
    return this.#ended || this.#isClosed || this.#failure !== undefined;
  }
}

/** All of the pieces in memory of its own (small buffers of `Buffer.concat` share theirs). */
function copyOf(pieces: readonly Uint8Array[]): Uint8Array {
  const copy = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    copy.set(piece, offset);
    offset += piece.length;
  }
  return copy;
}
