import type { FileHandle } from 'node:fs/promises';
import { handOver } from '../../base/chunk-memory.ts';
import type { FlowBudget } from '../../base/flow-budget.ts';
import { s3Error } from '../../s3/s3-error.ts';
import { asStoreFault } from './faults.ts';

/** A stretch of bytes in one file. */
export interface Piece {
  readonly file: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface BodySource {
  readonly pieces: readonly Piece[];
  /** The file of the first piece, already open: what happens to the name no longer matters. */
  readonly first: FileHandle;
  readonly open: (file: string) => Promise<FileHandle | undefined>;
  /** Called once, when the files are no longer needed. */
  readonly release: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
  /** How long a chunk may be. */
  readonly budget: FlowBudget;
}

/** The bytes of an object, read once; ends with an error rather than short. */
export class FileBody implements AsyncIterable<Uint8Array> {
  readonly #source: BodySource;
  readonly #onAbort: () => void;
  #handle: FileHandle | undefined;
  #isTaken = false;
  /** Of the chunk that was given last. */
  #heldBytes = 0;
  #released: Promise<void> | undefined;

  constructor(source: BodySource) {
    this.#source = source;
    this.#handle = source.first;
    this.#onAbort = () => {
      this.discard().catch(() => {}); // The reader learns of the abort; of a failed close nobody needs to.
    };
    source.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#isTaken) throw new Error('the body of an object can be read once');
    this.#isTaken = true;
    const chunks = this.#chunks();
    // A generator that never began has no `finally` to run, and a file that nobody closes ends the process.
    const finish = async (): Promise<IteratorResult<Uint8Array>> => {
      await this.discard();
      return await chunks.return(undefined);
    };
    return { next: async () => await chunks.next(), return: finish };
  }

  /** Gives the files free, whether or not anything was read. */
  async discard(): Promise<void> {
    this.#released ??= this.#release();
    await this.#released;
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (const piece of this.#source.pieces) yield* this.#read(piece);
    } finally {
      await this.discard();
    }
  }

  async *#read(piece: Piece): AsyncGenerator<Uint8Array> {
    const handle = this.#handle ?? (await this.#open(piece.file));
    this.#handle = handle;
    let position = piece.offsetBytes;
    const end = piece.offsetBytes + piece.lengthBytes;
    while (position < end) {
      const chunk = await this.#readChunk(handle, position, Math.min(this.#source.budget.limitBytes, end - position));
      position += chunk.length;
      this.#hold(chunk.length);
      yield chunk;
    }
    this.#handle = undefined;
    await handle.close();
  }

  async #open(file: string): Promise<FileHandle> {
    this.#check();
    const handle = await this.#source.open(file);
    if (handle === undefined) throw s3Error('ObjectCorrupted', 'A file of the stored object is missing.');
    // Given up while the file was being opened: nobody else would close it.
    if (this.#released !== undefined) await handle.close();
    this.#check();
    return handle;
  }

  async #readChunk(handle: FileHandle, position: number, lengthBytes: number): Promise<Uint8Array> {
    this.#check();
    // Each is fresh, for whoever got one may keep it.
    const buffer = Buffer.allocUnsafeSlow(lengthBytes);
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(buffer, 0, lengthBytes, position));
    } catch (error) {
      this.#check(); // An abort closes the file; that is what the reader is told.
      throw asStoreFault(error);
    }
    this.#check();
    if (bytesRead === 0) throw s3Error('ObjectCorrupted', 'The stored object is shorter than its index says.');
    return bytesRead === lengthBytes ? handOver(buffer) : buffer.subarray(0, bytesRead);
  }

  /** Whoever asks for the next chunk is done with the one before. */
  #hold(bytes: number): void {
    this.#source.budget.letGo(this.#heldBytes);
    this.#source.budget.hold(bytes);
    this.#heldBytes = bytes;
  }

  #check(): void {
    this.#source.signal?.throwIfAborted();
    if (this.#released !== undefined) throw s3Error('InternalError', 'The body was given up before its end.');
  }

  async #release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#source.signal?.removeEventListener('abort', this.#onAbort);
    this.#hold(0);
    try {
      await handle?.close();
    } finally {
      await this.#source.release();
    }
  }
}
