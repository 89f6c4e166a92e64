import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
}

/** A folder that goes with the test. */
export async function temporaryRoot(context: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 's3eg-filesystem-'));
  context.after(async () => {
    await rm(root, { recursive: true, force: true });
  });
  return root;
}

/** A store that is closed with the test, and a bucket in it. */
export async function openStore(context: TestContext, root: string): Promise<FilesystemStore> {
  const store = await FilesystemStore.open({ root });
  context.after(async () => {
    await store.close();
  });
  const buckets = await store.listBuckets();
  if (buckets.length === 0) await store.createBucket('bucket', {});
  return store;
}

/** Puts bytes under a key of `bucket`. */
export async function put(
  store: FilesystemStore,
  key: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const request = { bucket: 'bucket', key, headers, body: streamOf(bytes), lengthBytes: bytes.length };
  return (await store.putObject(request)).etag;
}

/** Names of all content files on the disk. */
export async function filesOnDisk(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'data'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => basename(entry.name))
    .toSorted();
}

/** Names of all content files that an object or a part refers to, read from the index as any SQLite tool would. */
export function filesInUse(root: string): string[] {
  const database = new DatabaseSync(join(root, 'index.sqlite'), { readOnly: true });
  try {
    const rows = database
      .prepare(
        'SELECT file FROM object WHERE file IS NOT NULL UNION ALL SELECT file FROM extent UNION ALL SELECT file FROM part',
      )
      .all();
    return rows.map((row) => String(row['file'])).toSorted();
  } finally {
    database.close();
  }
}
