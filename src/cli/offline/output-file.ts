import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { link, lstat, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { ByteStream } from '../../base/byte-stream.ts';
import { CodedError } from '../../base/coded-error.ts';

/** There is a file of this name already, and nobody said that it may be replaced. */
export class OutputExistsError extends CodedError<'exists'> {
  constructor(path: string) {
    super('exists', `${path} is there already: --force replaces it`);
  }
}

/** Written at once; decrypted segments are much smaller. */
const batchBytes = 1024 * 1024;

/** How a file is written. */
export interface WriteFileOptions {
  /** Replace what is there. */
  readonly force: boolean;
  /** Make the directories that are missing. */
  readonly makeDirectories: boolean;
}

/**
 * Writes a stream to a file that is there whole, and on the disk, or not at all: its bytes go into `.s3eg-*.part` beside
 * it, which goes away when anything fails and also when the process exits in the middle.
 * @returns the length in bytes.
 * @throws OutputExistsError; the system's error; what the stream throws.
 */
export async function writeWholeFile(path: string, source: ByteStream, options: WriteFileOptions): Promise<number> {
  await refuseExisting(path, options);
  if (options.makeDirectories) await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.s3eg-${randomBytes(8).toString('hex')}.part`);
  const handle = await open(temporary, 'wx');
  const removeNow = (): void => rmSync(temporary, { force: true });
  process.once('exit', removeNow);
  try {
    const lengthBytes = await writeAll(handle, source);
    await place(temporary, path, options);
    return lengthBytes;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    process.off('exit', removeNow);
  }
}

async function refuseExisting(path: string, { force }: WriteFileOptions): Promise<void> {
  if (!force && (await exists(path))) throw new OutputExistsError(path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function writeAll(handle: FileHandle, source: ByteStream): Promise<number> {
  try {
    let lengthBytes = 0;
    let batch: Uint8Array[] = [];
    let waitingBytes = 0;
    for await (const chunk of source) {
      batch.push(chunk);
      waitingBytes += chunk.length;
      if (waitingBytes < batchBytes) continue;
      await writeFully(handle, batch);
      lengthBytes += waitingBytes;
      batch = [];
      waitingBytes = 0;
    }
    await writeFully(handle, batch);
    await handle.sync();
    return lengthBytes + waitingBytes;
  } finally {
    await handle.close();
  }
}

/** A write may stop short, where the disk is full for one; the next one then says why. */
async function writeFully(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let left = pieces.filter(({ length }) => length > 0);
  while (left.length > 0) {
    let { bytesWritten } = await handle.writev(left);
    const rest: Uint8Array[] = [];
    for (const piece of left) {
      if (bytesWritten < piece.length) rest.push(piece.subarray(bytesWritten));
      bytesWritten = Math.max(0, bytesWritten - piece.length);
    }
    left = rest;
  }
}

/** Gives the finished file its name; without `force` never in place of another one, not even of one made meanwhile. */
async function place(temporary: string, path: string, options: WriteFileOptions): Promise<void> {
  if (options.force) return rename(temporary, path);
  try {
    await link(temporary, path);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw new OutputExistsError(path);
    // File systems without hard links: a file that is made in this moment would be lost.
    await refuseExisting(path, options);
    return rename(temporary, path);
  }
  await rm(temporary);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
