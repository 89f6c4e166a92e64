import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteStream } from '../../base/byte-stream.ts';
import { release } from '../../base/chunk-memory.ts';
import type { FlowBudget } from '../../base/flow-budget.ts';
import { s3Error } from '../../s3/s3-error.ts';
import { abortable } from './abortable.ts';
import { asStoreFault, isMissingFile } from './faults.ts';
import type { FileLedger } from './file-ledger.ts';

/** Chunks that are gathered at most before they are written. */
const writeBatchChunks = 512;
const removalsAtOnce = 8;

/** A body that is to become a file. */
export interface FileContent {
  readonly body: ByteStream;
  readonly lengthBytes: number;
  /** MD5 that the bytes must have. */
  readonly md5?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The content files, `data/<first two digits>/<32 random hex digits>`. A file is written once, under a name that nobody
 * refers to; the commit of the index that refers to it takes the part that a rename has elsewhere: before it the old
 * object is there, after it the new one.
 */
export class DataFiles {
  readonly #folder: string;
  readonly #ledger: FileLedger;
  readonly #budget: FlowBudget;
  readonly #folders = new Map<string, Promise<FileHandle>>();

  constructor(root: string, ledger: FileLedger, budget: FlowBudget) {
    this.#folder = join(root, 'data');
    this.#ledger = ledger;
    this.#budget = budget;
  }

  /**
   * Writes a whole body and brings it to the disk, name included. Answers the file's name; on any failure nothing stays.
   * @throws whatever the body throws; S3Error IncompleteBody, BadDigest, or a fault of the disk.
   */
  async write(content: FileContent): Promise<string> {
    return await this.#make(async (path, folder) => {
      const handle = await storeFaults(open(path, 'wx', 0o600));
      try {
        await fill(handle, content, this.#budget);
        await storeFaults(Promise.all([handle.datasync(), folder.sync()]));
      } finally {
        await handle.close();
      }
    });
  }

  /**
   * Copies a file, within the kernel, and without taking space where the file system can share blocks. Undefined where
   * the source is gone, because its object was replaced.
   */
  async clone(source: string): Promise<string | undefined> {
    try {
      return await this.#make(async (path, folder) => {
        await copyFile(this.#path(source), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        const handle = await open(path, 'r+');
        try {
          await Promise.all([handle.datasync(), folder.sync()]);
        } finally {
          await handle.close();
        }
      });
    } catch (error) {
      if (isMissingFile(error)) return undefined;
      throw asStoreFault(error);
    }
  }

  /** Opens a file to read; undefined where it is gone, because the object was replaced in between. */
  async open(file: string): Promise<FileHandle | undefined> {
    try {
      return await open(this.#path(file), 'r');
    } catch (error) {
      if (isMissingFile(error)) return undefined;
      throw asStoreFault(error);
    }
  }

  /** Removes a file that was written and never used. A failure leaves it to the next start. */
  async discard(file: string): Promise<void> {
    if (await this.#remove(file)) this.#ledger.forget([file]);
  }

  /** Removes every file that the ledger gives up. Failures leave files for the next sweep and are no one's error. */
  async sweep(): Promise<void> {
    for (;;) {
      const doomed = this.#ledger.doomed();
      const removed: string[] = [];
      for (let from = 0; from < doomed.length; from += removalsAtOnce) {
        const batch = doomed.slice(from, from + removalsAtOnce);
        const outcomes = await Promise.all(batch.map((file) => this.#remove(file)));
        removed.push(...batch.filter((_, index) => outcomes[index]));
      }
      if (removed.length === 0) return;
      this.#ledger.forget(removed);
    }
  }

  async close(): Promise<void> {
    const folders = await Promise.allSettled(this.#folders.values());
    this.#folders.clear();
    for (const folder of folders) if (folder.status === 'fulfilled') await folder.value.close();
  }

  /** Makes a file under a new name; `fillIt` brings content and name to the disk. On any failure nothing stays. */
  async #make(fillIt: (path: string, folder: FileHandle) => Promise<void>): Promise<string> {
    const file = randomBytes(16).toString('hex');
    const folder = await storeFaults(this.#openFolder(file.slice(0, 2)));
    this.#ledger.noteWriting(file);
    try {
      await fillIt(this.#path(file), folder);
    } catch (error) {
      await this.discard(file);
      throw error;
    }
    return file;
  }

  async #remove(file: string): Promise<boolean> {
    try {
      await unlink(this.#path(file));
      return true;
    } catch (error) {
      return isMissingFile(error);
    }
  }

  /** Folders stay open (at most 256): each new file needs its folder brought to the disk. */
  async #openFolder(name: string): Promise<FileHandle> {
    const known = this.#folders.get(name);
    if (known !== undefined) return await known;
    const opening = makeFolder(this.#folder, name);
    this.#folders.set(name, opening);
    opening.catch(() => this.#folders.delete(name));
    return await opening;
  }

  #path(file: string): string {
    return join(this.#folder, file.slice(0, 2), file);
  }
}

async function makeFolder(parent: string, name: string): Promise<FileHandle> {
  const path = join(parent, name);
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made !== undefined) {
    const parentHandle = await open(parent, 'r');
    try {
      await parentHandle.sync();
    } finally {
      await parentHandle.close();
    }
  }
  return await open(path, 'r');
}

/** Writes the body while the next chunks are pulled: one write is under way at most. */
async function fill(
  handle: FileHandle,
  { body, lengthBytes, md5, signal }: FileContent,
  budget: FlowBudget,
): Promise<void> {
  const hash = md5 === undefined ? undefined : createHash('md5');
  const iterator = body[Symbol.asyncIterator]();
  const writer = new BatchWriter(handle, budget);
  let receivedBytes = 0;
  try {
    for (;;) {
      const next = await abortable(iterator.next(), signal);
      if (next.done === true) break;
      receivedBytes += next.value.length;
      if (receivedBytes > lengthBytes) {
        throw s3Error('IncompleteBody', `The body is longer than the ${lengthBytes} bytes that were declared.`);
      }
      hash?.update(next.value);
      await writer.add(next.value);
    }
    await writer.end();
  } catch (error) {
    // Not awaited: a source that hangs would hang here too.
    iterator.return?.()?.then(undefined, () => {});
    await writer.drop();
    throw error;
  }
  if (receivedBytes < lengthBytes) throw s3Error('IncompleteBody');
  if (md5 !== undefined && hash !== undefined && !timingSafeEqual(hash.digest(), md5)) throw s3Error('BadDigest');
}

/** Gathers chunks into few and large writes. */
class BatchWriter {
  readonly #handle: FileHandle;
  readonly #budget: FlowBudget;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle, budget: FlowBudget) {
    this.#handle = handle;
    this.#budget = budget;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    this.#budget.hold(chunk.length);
    const isFull = this.#batchBytes >= this.#budget.limitBytes || this.#batch.length >= writeBatchChunks;
    if (isFull) await this.#flush();
  }

  async end(): Promise<void> {
    if (this.#batch.length > 0) await this.#flush();
    await this.#writing;
  }

  /** Writes no more; waits for what is under way. */
  async drop(): Promise<void> {
    this.#budget.letGo(this.#batchBytes);
    this.#batchBytes = 0;
    this.#batch = [];
    await Promise.allSettled([this.#writing]);
  }

  async #flush(): Promise<void> {
    await this.#writing;
    this.#writing = this.#write(this.#batch, this.#batchBytes);
    this.#writing.catch(() => {}); // Seen by the next `await`; must not count as unhandled until then.
    this.#batch = [];
    this.#batchBytes = 0;
  }

  async #write(batch: readonly Uint8Array[], bytes: number): Promise<void> {
    try {
      await writeAll(this.#handle, batch);
    } finally {
      this.#budget.letGo(bytes);
    }
  }
}

async function writeAll(handle: FileHandle, batch: readonly Uint8Array[]): Promise<void> {
  try {
    let left = batch;
    while (left.length > 0) {
      const { bytesWritten } = await handle.writev([...left]);
      left = dropBytes(left, bytesWritten);
    }
    for (const chunk of batch) release(chunk);
  } catch (error) {
    throw asStoreFault(error);
  }
}

/** What is left of a batch after a write that may have been short. */
function dropBytes(batch: readonly Uint8Array[], writtenBytes: number): Uint8Array[] {
  let skip = writtenBytes;
  const left: Uint8Array[] = [];
  for (const chunk of batch) {
    if (skip >= chunk.length) {
      skip -= chunk.length;
      continue;
    }
    left.push(chunk.subarray(skip));
    skip = 0;
  }
  return left;
}

async function storeFaults<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw asStoreFault(error);
  }
}
