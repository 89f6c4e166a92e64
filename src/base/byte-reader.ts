import type { ByteStream } from './byte-stream.ts';
import { claim, release } from './chunk-memory.ts';
import { CodedError } from './coded-error.ts';

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
  readonly #source: AsyncIterator<Uint8Array>;
  #pending: Uint8Array | undefined;
  /** The chunk that `#pending` is the rest of. */
  #pendingChunk: Uint8Array | undefined;
  /** Chunks whose last piece was lent. */
  #lent: Uint8Array[] = [];
  #ended = false;
  #failure: Error | undefined;

  constructor(source: ByteStream) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes as pieces (none of them empty); fewer only where the stream ends. */
  async read(length: number): Promise<Uint8Array[]> {
    return this.#take(length);
  }

  /**
   * As `read`, but the pieces may be used only until the next call, which frees their memory, where their chunks were
   * handed over (see chunk-memory.ts).
   */
  async lend(length: number): Promise<Uint8Array[]> {
    this.#releaseLent();
    return this.#take(length, this.#lent);
  }

  /**
   * As `read`, but each piece is alone in its memory, which is the caller's: it may go to another thread. Chunks that were
   * handed over are given as they are; only what lies in a chunk that is not, or not used up, is copied.
   */
  async own(length: number): Promise<Uint8Array[]> {
    this.#releaseLent();
    const usedUp: Uint8Array[] = [];
    const pieces = await this.#take(length, usedUp);
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
    return owned;
  }

  #releaseLent(): void {
    const usedUp = this.#lent;
    this.#lent = [];
    for (const chunk of usedUp) release(chunk);
  }

  async #take(length: number, usedUp?: Uint8Array[]): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = this.#pending ?? (await this.#pull());
      if (piece === undefined) break;
      const chunk = this.#pendingChunk ?? piece;
      if (piece.length > missing) {
        pieces.push(piece.subarray(0, missing));
        this.#pending = piece.subarray(missing);
        this.#pendingChunk = chunk;
        break;
      }
      pieces.push(piece);
      usedUp?.push(chunk);
      missing -= piece.length;
      this.#pending = undefined;
      this.#pendingChunk = undefined;
    }
    return pieces;
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
    this.#pending ??= await this.#pull();
    return this.#pending === undefined;
  }

  /**
   * Everything not read yet, as a stream that may be iterated once; the reader must not be used beside it.
   * Returning early closes the source, even where iteration never started.
   */
  rest(): ByteStream {
    return streamOver(this, async () => {
      this.#pending ??= await this.#pull();
      const chunk = this.#pending;
      this.#pending = undefined;
      this.#pendingChunk = undefined;
      return chunk;
    });
  }

  /**
   * Releases the source (its iterator's `return`). Reading afterwards throws, unless the end had been reached: a stream
   * that was left is not one that ended, and nobody is to seal half a message as a whole one. Calling it again does
   * nothing.
   */
  async close(): Promise<void> {
    this.#pending = undefined;
    this.#pendingChunk = undefined;
    this.#lent = [];
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = new ReaderClosedError();
    await this.#source.return?.();
  }

  async #pull(): Promise<Uint8Array | undefined> {
    while (!this.#ended) {
      const step = await this.#advance();
      if (step.done === true) this.#ended = true;
      else if (step.value.length > 0) return step.value;
    }
    return undefined;
  }

  /** One step of the source. What it threw is thrown again later: a broken stream has not ended either. */
  async #advance(): Promise<IteratorResult<Uint8Array>> {
    if (this.#failure === undefined) {
      try {
        const step = await this.#source.next();
        if (!this.#isFailed()) return step;
      } catch (error) {
        this.#failure ??= error instanceof Error ? error : new Error('stream failed', { cause: error });
      }
    }
    throw this.#failure;
  }

  /** A function because `close` may have been called during the await, which the compiler does not consider. */
  #isFailed(): boolean {
    return this.#failure !== undefined;
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

/**
 * A stream of what `next` gives until undefined, which owns `reader`: it is closed at the end, on an error and on an
 * early return. Unlike an async generator it closes the source also when it is returned before its first step.
 */
export function streamOver(reader: ByteReader, next: () => Promise<Uint8Array | undefined>): ByteStream {
  const done = { done: true, value: undefined } as const;
  let finished = false;
  const finish = async () => {
    finished = true;
    await reader.close();
    return done;
  };
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    next: async () => {
      if (finished) return done;
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
