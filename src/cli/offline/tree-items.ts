import { join } from 'node:path';

import { CodedError } from '../../base/coded-error.ts';
import type { DecryptJob } from './decrypt-object.ts';
import { readManifest, type ManifestEntry } from './manifest.ts';
import { parseMetadata } from './metadata-document.ts';
import { readSmallFile } from './small-file.ts';
import { isPlainPath, sidecarSuffix, type TreeFile } from './tree.ts';

/** Why a file of a tree, or an entry of a manifest, cannot be decrypted. */
class TreeError extends CodedError<'no_metadata' | 'no_file' | 'not_regular' | 'bad_path'> {}

/** What is to be done about one file of a tree, or about one entry of its manifest. */
export type TreeItem =
  | { readonly kind: 'job'; readonly job: DecryptJob }
  | { readonly kind: 'skipped'; readonly name: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly name: string; readonly error: unknown };

/** Where a tree is, where it goes, and what was in front of its paths. */
export interface TreePlace {
  readonly root: string;
  readonly output: string;
  /** Beginning of every key: the keys are this and the path. */
  readonly prefix: string;
  /** Keys below it are the gateway's own. */
  readonly reservedPrefix: string;
}

/** Files whose metadata lies beside them. */
export async function* sidecarItems(
  files: readonly TreeFile[],
  place: TreePlace,
): AsyncGenerator<TreeItem, void, undefined> {
  for (const file of files) {
    const { path } = file;
    const early = earlyItem(file, place);
    if (early !== undefined) yield early;
    else yield await sidecarItem(path, place);
  }
}

/** Files whose metadata is in a manifest, in the order of the manifest; then those that it does not name. */
export async function* manifestItems(
  files: readonly TreeFile[],
  manifest: string,
  place: TreePlace,
): AsyncGenerator<TreeItem, void, undefined> {
  const pending = new Map(files.map((file) => [file.path, file]));
  for await (const entry of readManifest(manifest)) yield entryItem(entry, pending, place);
  for (const file of pending.values()) {
    const error = new TreeError('no_metadata', 'the manifest does not name it');
    yield earlyItem(file, place) ?? { kind: 'failed', name: file.path, error };
  }
}

async function sidecarItem(path: string, place: TreePlace): Promise<TreeItem> {
  try {
    const bytes = await readSmallFile(join(place.root, `${path}${sidecarSuffix}`));
    return { kind: 'job', job: { ...jobPaths(path, place), metadata: parseMetadata(bytes) } };
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const shown = isMissing ? new TreeError('no_metadata', `there is no ${path}${sidecarSuffix}`) : error;
    return { kind: 'failed', name: path, error: shown };
  }
}

function entryItem(entry: ManifestEntry, pending: Map<string, TreeFile>, place: TreePlace): TreeItem {
  if ('error' in entry) return { kind: 'failed', name: '', error: entry.error };
  const { name } = entry;
  const shown = 'path' in name ? name.path : name.key;
  const path = 'path' in name ? name.path : belowPrefix(name.key, place.prefix);
  if (path === undefined) return failed(shown, 'bad_path', `the key does not begin with "${place.prefix}"`);
  if (path === '' || path.endsWith('/')) return { kind: 'skipped', name: shown, reason: 'a folder marker, no file' };
  if (!isPlainPath(path)) return failed(shown, 'bad_path', 'no file can have such a path: decrypt it by itself');
  const file = pending.get(path);
  if (file === undefined) return failed(shown, 'no_file', 'there is no such file, or the manifest names it twice');
  pending.delete(path);
  return earlyItem(file, place) ?? { kind: 'job', job: { ...jobPaths(path, place), metadata: entry.metadata } };
}

function belowPrefix(key: string, prefix: string): string | undefined {
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

/** What can be said of a file without its metadata. */
function earlyItem({ path, isRegular }: TreeFile, { prefix, reservedPrefix }: TreePlace): TreeItem | undefined {
  if (`${prefix}${path}`.startsWith(reservedPrefix)) {
    return { kind: 'skipped', name: path, reason: "the gateway's own data" };
  }
  return isRegular ? undefined : failed(path, 'not_regular', 'it is not a regular file');
}

function jobPaths(path: string, { root, output, prefix }: TreePlace): Omit<DecryptJob, 'metadata'> {
  return { source: join(root, path), key: `${prefix}${path}`, output: join(output, path) };
}

function failed(name: string, code: TreeError['code'], message: string): TreeItem {
  return { kind: 'failed', name, error: new TreeError(code, message) };
}
