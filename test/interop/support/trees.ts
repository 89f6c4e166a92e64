/** Directory trees for the clients that synchronise. */
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { plaintext } from './plaintext.ts';
import type { Workspace } from './workspace.ts';

/** Names that clients and listings get wrong, and lengths around what the format cuts at. */
const files: Readonly<Record<string, number>> = {
  empty: 0,
  'one byte': 1,
  'segment-minus-1': 65_535,
  segment: 65_536,
  'segment-plus-1': 65_537,
  'deep/er/than/one.txt': 5000,
  'deep/er/other.bin': 200_000,
  'with space/and+plus&more=1.txt': 1234,
  'grüße/日本語-🙂.txt': 77_777,
  'multipart-for-some.bin': 9_000_001,
};

/** Relative paths with their lengths. */
export const treeSizes: ReadonlyMap<string, number> = new Map(Object.entries(files));

/**
 * Makes the tree in a fresh folder, a minute old: a store that keeps whole seconds, as S3 does, would else have objects that
 * look older than files of the same second, which clients then send again.
 */
export async function makeTree(workspace: Workspace): Promise<string> {
  const root = await workspace.folder('tree');
  const madeAt = new Date(Date.now() - 60_000);
  for (const [path, lengthBytes] of treeSizes) {
    const full = join(root, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, plaintext(path, lengthBytes));
    await utimes(full, madeAt, madeAt);
  }
  return root;
}
