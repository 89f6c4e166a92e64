import type { ByteIterator, ByteStream } from '../../base/byte-stream.ts';
import { keep } from '../../base/chunk-memory.ts';
import { s3Error } from '../../s3/s3-error.ts';
import { orAborted } from './abort.ts';

/** As long as no more than this was taken from the source, the bytes are kept and the request can be sent again. */
const replayLimitBytes = 256 * 1024;

/**
 * The body of one put, read from a source that can be read only once, for one or several attempts.
 *
 * - What was taken is kept up to `replayLimitBytes`, so that an attempt that failed early can be repeated.
 * - The last byte is given out only when the source has ended cleanly at the declared length: a source that throws or goes
 *   on at its very end must not leave a complete body, hence a stored object, behind.
 * - `failure` is the source's own error, for undici wraps what an iteration throws.
 */
export class UploadBody {
  readonly lengthBytes: number;
  readonly #source: ByteIterator;
  /** Chunks taken and still kept; the first of them has the index `#droppedChunks`. */
  readonly #kept: Uint8Array[] = [];
  #droppedChunks = 0;
  #takenBytes = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #pulling: Promise<void> | undefined;

  constructor(source: ByteStream, lengthBytes: number) {
    this.lengthBytes = lengthBytes;
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Whether another attempt can give all bytes from the first one on. */
  get replayable(): boolean {
    return this.#droppedChunks === 0 && this.#failure === undefined;
  }

  /** Set when the source threw or gave another number of bytes than declared. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The bytes for one attempt. An earlier attempt's iteration must not be used any more. */
  async *attempt(): AsyncGenerator<Uint8Array, void, undefined> {
    let givenBytes = 0;
    for (let index = 0; givenBytes < this.lengthBytes || index === 0; index++) {
      const chunk = await this.#chunkAt(index);
      if (chunk === undefined) return;
      givenBytes += chunk.length;
      if (givenBytes >= this.lengthBytes) await this.#finish();
      else this.#forgetBefore(index + 1);
      if (this.replayable) keep(chunk);
      yield chunk;
    }
  }

  /**
   * The whole body in one piece, for small ones: it goes out in one write, and no connection waits for a slow source.
   * @throws the source's error; S3Error IncompleteBody; the signal's reason.
   */
  async gather(signal: AbortSignal | undefined): Promise<Uint8Array> {
    await orAborted(this.#finish(), signal);
    const [first] = this.#kept;
    if (this.#kept.length !== 1 || first === undefined) return Buffer.concat(this.#kept);
    keep(first);
    return first;
  }

  /** Tells the source that no more bytes are wanted; does nothing where it has ended. */
  release(): void {
    this.#kept.length = 0;
    if (this.#ended) return;
    this.#ended = true;
    // Not awaited: a generator that waits for its own source cannot return before that gives something.
    this.#source.return?.().catch(() => {});
  }

  async #chunkAt(index: number): Promise<Uint8Array | undefined> {
    while (index - this.#droppedChunks >= this.#kept.length) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return undefined;
      if (!this.#takeReady()) await this.#pull();
    }
    const chunk = this.#kept[index - this.#droppedChunks];
    if (chunk === undefined) throw new Error('a body that was sent cannot be sent again');
    return chunk;
  }

  /** Takes what is left, which is nothing where the source keeps to the declared length. */
  async #finish(): Promise<void> {
    while (!this.#ended) await this.#pull();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #forgetBefore(index: number): void {
    if (this.#droppedChunks === 0 && this.#takenBytes <= replayLimitBytes) return;
    const count = Math.max(0, index - this.#droppedChunks);
    this.#kept.splice(0, count);
    this.#droppedChunks += count;
  }

  /** Takes what the source has at hand. @returns Whether there was any. */
  #takeReady(): boolean {
    const chunk = this.#pulling === undefined ? this.#source.ready?.() : undefined;
    if (chunk === undefined) return false;
    if (chunk.length > 0) this.#take(chunk);
    return true;
  }

  /** One step of the source. An attempt that was given up may still wait for it: the next attempt waits with it. */
  async #pull(): Promise<void> {
    this.#pulling ??= this.#step();
    await this.#pulling;
  }

  async #step(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (this.#ended) return;
      if (done === true) this.#endSource();
      else if (value.length > 0) this.#take(value);
    } catch (error) {
      this.#ended = true;
      this.#failure ??= { error };
    } finally {
      this.#pulling = undefined;
    }
  }

  #take(chunk: Uint8Array): void {
    this.#takenBytes += chunk.length;
    if (this.#takenBytes <= this.lengthBytes) {
      this.#kept.push(chunk);
      return;
    }
    this.#failure = { error: incomplete(this.lengthBytes, 'more') };
    this.release();
  }

  #endSource(): void {
    this.#ended = true;
    if (this.#takenBytes < this.lengthBytes) {
      this.#failure = { error: incomplete(this.lengthBytes, `${this.#takenBytes}`) };
    }
  }
}

function incomplete(declaredBytes: number, given: string): Error {
  return s3Error('IncompleteBody', undefined, {
    cause: new Error(`the body gave ${given} of the ${declaredBytes} bytes that were declared`),
  });
}
