import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, realpath, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { KeyError } from '../key-provider.ts';
import { parseKeyring, type KeyringEntry } from './keyring-document.ts';

const maxFileBytes = 1_048_576;
const ownerOnly = 0o600;
const groupAndOthers = 0o077;
const lockPollMs = 50;
const defaultLockTimeoutMs = 10_000;

/** What a keyring file held when it was read. */
export interface KeyringSnapshot {
  readonly entries: readonly KeyringEntry[];
  /** Differs from that of any other content of the file; see `keyringSignature`. */
  readonly signature: string;
}

interface FileFacts {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mode: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Identity of the file's present content, from its inode, size, mode and times: nothing is read. */
export function keyringSignature({ dev, ino, size, mode, mtimeNs, ctimeNs }: FileFacts): string {
  return [dev, ino, size, mode, mtimeNs, ctimeNs].join(':');
}

/**
 * Reads and checks a keyring file.
 * @throws KeyError `misconfigured` when it is missing, not a regular file, open to group or others, too large, or wrong.
 */
export async function readKeyring(file: string): Promise<KeyringSnapshot> {
  const handle = await openForReading(file);
  try {
    // All checks are on the opened file, so nothing can be put in its place between check and read.
    const facts = await handle.stat({ bigint: true });
    if (!facts.isFile()) throw new KeyError('misconfigured', `keyring ${file} is not a regular file`);
    if (process.platform !== 'win32' && (Number(facts.mode) & groupAndOthers) !== 0) {
      const mode = (Number(facts.mode) & 0o777).toString(8).padStart(4, '0');
      throw new KeyError('misconfigured', `keyring ${file} is open to other users (mode ${mode}): chmod 600 ${file}`);
    }
    if (facts.size > maxFileBytes) {
      throw new KeyError('misconfigured', `keyring ${file} is larger than ${maxFileBytes} bytes`);
    }
    const content = await handle.readFile();
    try {
      return { entries: parseKeyring(content.toString('utf8'), file), signature: keyringSignature(facts) };
    } finally {
      content.fill(0);
    }
  } finally {
    await handle.close();
  }
}

/**
 * Makes the keyring file (and its directory) with what `content` gives, unless there is one. Of several processes that do so at
 * once one wins and the others leave its file alone; a file is there whole or not at all.
 */
export async function createKeyring(file: string, content: () => string): Promise<void> {
  try {
    if (await exists(file)) return;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await withTemporary(file, content(), async (temporary) => {
      // Unlike rename, link never replaces what another process has put there.
      await link(temporary, file).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
      await unlink(temporary);
    });
  } catch (error) {
    throw asKeyError(error, `keyring ${file} cannot be made`);
  }
}

/**
 * Replaces the keyring file atomically by what `change` makes of its entries; one change at a time over all processes, through
 * the lock file `<file>.lock`. The entries are disposed afterwards.
 * @returns what `change` says beside the new content.
 * @throws KeyError `unavailable` when the lock stays taken for `lockTimeoutMs`, 10 s by default.
 */
export async function changeKeyring<T>(
  file: string,
  change: (entries: readonly KeyringEntry[]) => { readonly content: string; readonly result: T },
  { lockTimeoutMs = defaultLockTimeoutMs }: { readonly lockTimeoutMs?: number } = {},
): Promise<T> {
  try {
    // A link to the keyring stays a link; what it points to is replaced.
    const target = await realpath(file);
    return await withLock(`${target}.lock`, lockTimeoutMs, async () => {
      const { entries } = await readKeyring(target);
      try {
        const { content, result } = change(entries);
        await withTemporary(target, content, (temporary) => rename(temporary, target));
        return result;
      } finally {
        for (const { key } of entries) key.dispose();
      }
    });
  } catch (error) {
    throw asKeyError(error, `keyring ${file} cannot be changed`);
  }
}

async function openForReading(file: string): Promise<FileHandle> {
  try {
    // Non-blocking: opening a FIFO that stands in the file's place must not hang.
    return await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const missing = errnoOf(error) === 'ENOENT';
    throw asKeyError(error, missing ? `keyring ${file} does not exist` : `keyring ${file} cannot be read`);
  }
}

/** Writes and syncs `<file>.<random>.tmp`, lets `place` move it, and syncs the directory; on a failure the file goes. */
async function withTemporary(
  file: string,
  content: string,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', ownerOnly);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await place(temporary);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncDirectory(dirname(file));
}

/** Makes a rename or link durable. Windows has no such thing for directories. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function withLock<T>(lockFile: string, timeoutMs: number, run: () => Promise<T>): Promise<T> {
  await acquire(lockFile, timeoutMs);
  try {
    return await run();
  } finally {
    await unlink(lockFile);
  }
}

/** A lock left by a crash is not broken by guess: two processes that break it at once would both hold it. */
async function acquire(lockFile: string, timeoutMs: number): Promise<void> {
  for (const startedMs = performance.now(); ; await delay(lockPollMs)) {
    try {
      const handle = await open(lockFile, 'wx', ownerOnly);
      await handle.close();
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    if (performance.now() - startedMs >= timeoutMs) {
      throw new KeyError('unavailable', `another process is changing the keyring; if none is, remove ${lockFile}`);
    }
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function asKeyError(error: unknown, message: string): KeyError {
  if (error instanceof KeyError) return error;
  const errno = errnoOf(error);
  return new KeyError('misconfigured', errno === undefined ? message : `${message} (${errno})`, { cause: error });
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
