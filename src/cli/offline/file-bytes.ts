import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { ByteStream } from '../../base/byte-stream.ts';
import type { StoredBytes } from '../../maintenance/stored-object.ts';

const chunkBytes = 1024 * 1024;

/** How a file is read: `onRead` hears of every chunk of `stream`, whose iteration fails once `signal` aborts. */
export interface FileBytesOptions {
  readonly onRead?: (lengthBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A stored object in a file. */
export class FileBytes implements StoredBytes, AsyncDisposable {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  readonly #options: FileBytesOptions;

  private constructor(handle: FileHandle, sizeBytes: number, options: FileBytesOptions) {
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
    this.#options = options;
  }

  /** @throws the system's error where the file cannot be opened; Error for what is not a regular file. */
  static async open(path: string, options: FileBytesOptions = {}): Promise<FileBytes> {
    // Non-blocking: opening a FIFO that stands in the file's place must not hang.
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const facts = await handle.stat();
      if (!facts.isFile()) throw new Error(`${path} is not a regular file`);
      return new FileBytes(handle, facts.size, options);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const buffer = Buffer.alloc(lengthBytes);
    let filledBytes = 0;
    while (filledBytes < lengthBytes) {
      const { bytesRead } = await this.#handle.read(
        buffer,
        filledBytes,
        lengthBytes - filledBytes,
        offsetBytes + filledBytes,
      );
      if (bytesRead === 0) break;
      filledBytes += bytesRead;
    }
    return buffer.subarray(0, filledBytes);
  }

  async *stream(): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, onRead } = this.#options;
    for (let offsetBytes = 0; ;) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await this.#handle.read(
        Buffer.allocUnsafeSlow(chunkBytes),
        0,
        chunkBytes,
        offsetBytes,
      );
      if (bytesRead === 0) return;
      offsetBytes += bytesRead;
      onRead?.(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
