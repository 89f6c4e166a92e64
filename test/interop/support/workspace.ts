/** A directory of one test file, and what it started: all gone afterwards. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Fresh folders, and the things to release; the last one goes first. */
export class Workspace implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #folder = mkdtempSync(join(tmpdir(), 's3eg-interop-'));
  #count = 0;

  constructor() {
    process.on('exit', this.#remove);
  }

  readonly #remove = (): void => rmSync(this.#folder, { recursive: true, force: true });

  /** A new empty folder, given with its whole path. */
  async folder(name: string): Promise<string> {
    const path = join(this.#folder, `${String(this.#count++)}-${name}`);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Releases `resource` with the workspace. */
  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.#stack.use(resource);
  }

  /** Calls `release` with the workspace. */
  defer(release: () => Promise<void>): void {
    this.#stack.defer(release);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    this.#remove();
    process.off('exit', this.#remove);
  }
}

/** A port of 127.0.0.1 that nobody listens on, for a server that cannot choose one itself. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Listens on a free port of 127.0.0.1 until the workspace ends; gives the server's origin. */
export async function listen(server: Server, workspace: Workspace): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  workspace.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen');
  return `http://127.0.0.1:${address.port}`;
}

/** SHA-256 of a file, in hex. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** SHA-256 of bytes, in hex. */
export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Digests of all files of a tree by their path below `root`, sorted. */
export async function treeDigests(root: string): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const path of await filesUnder(root)) digests[path.slice(root.length + 1)] = await fileDigest(path);
  return digests;
}

/** Paths of all files of a tree, sorted. */
export async function filesUnder(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Part of a file. */
export async function slice(path: string, first: number, last: number): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(last - first + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, first);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Asks again and again; fails after half a minute. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(30);
  }
}
