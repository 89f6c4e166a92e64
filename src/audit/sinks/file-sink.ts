import { open, stat, type FileHandle } from 'node:fs/promises';

import type { AuditSink } from '../audit-trail.ts';

const lineFeed = 0x0a;

/**
 * Appends to a file that only its owner reads, and waits for the disk at each event. The file may be moved away at any time, as
 * logrotate does: the next event makes a new one. Several processes may append to one file.
 */
export class FileSink implements AuditSink {
  readonly kind = 'file';
  readonly #path: string;
  #file: FileHandle | undefined;
  #wantsReopen = false;
  /** Events that are not written yet; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Makes the file where it is not there.
   * @throws the system's error where it cannot be appended to.
   */
  static async open(path: string): Promise<FileSink> {
    const sink = new FileSink(path);
    await sink.#current();
    return sink;
  }

  write(line: string): Promise<void> {
    const written = this.#tail.then(() => this.#append(line));
    this.#tail = written.catch(() => {});
    return written;
  }

  reopen(): void {
    this.#wantsReopen = true;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#release();
  }

  async #append(line: string): Promise<void> {
    const file = await this.#current();
    const bytes = Buffer.from(line);
    const { bytesWritten } = await file.write(bytes);
    await file.datasync();
    if (bytesWritten === bytes.length) return;
    // The next event looks at the end of the file, and begins a line of its own.
    await this.#release();
    throw new Error(`only ${bytesWritten} of ${bytes.length} bytes were written`);
  }

  /** The file that has the name now. */
  async #current(): Promise<FileHandle> {
    if (this.#file !== undefined && (this.#wantsReopen || !(await this.#hasItsName(this.#file)))) await this.#release();
    if (this.#file !== undefined) return this.#file;
    const file = await open(this.#path, 'a+', 0o600);
    this.#file = file;
    this.#wantsReopen = false;
    await endLine(file);
    return file;
  }

  async #hasItsName(file: FileHandle): Promise<boolean> {
    const named = await stat(this.#path).catch(() => undefined);
    const { dev, ino } = await file.stat();
    return named?.dev === dev && named.ino === ino;
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

/** Half a line at the end is what a process left that lost its machine: it must not spoil the next one. */
async function endLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] !== lineFeed) await file.write('\n');
}
