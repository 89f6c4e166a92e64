import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A file below a directory. */
export interface TreeFile {
  /** Names from the directory on, joined by `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Whether it is a file that holds bytes: no link, device or pipe. */
  readonly isRegular: boolean;
}

/** Suffix of the file beside an object that holds its metadata. */
export const sidecarSuffix = '.metadata.json';

/** Every file below a directory, in the order of paths; links are not followed. */
export async function listTree(root: string): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory()) folders.push(`${path}/`);
      else files.push({ path, sizeBytes: (await lstat(join(root, path))).size, isRegular: entry.isFile() });
    }
  }
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Without the metadata files that lie beside their object; a file that only looks like one is an object. */
export function withoutSidecars(files: readonly TreeFile[]): readonly TreeFile[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.filter(({ path }) => !path.endsWith(sidecarSuffix) || !paths.has(path.slice(0, -sidecarSuffix.length)));
}

/** Whether a path has names only: nothing that leads elsewhere once it is joined to a directory. */
export function isPlainPath(path: string): boolean {
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0'));
}
