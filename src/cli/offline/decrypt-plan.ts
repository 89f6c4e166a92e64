import { lstat, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';

import type { CliIo } from '../cli-io.ts';
import { UsageError } from '../exit-code.ts';
import type { KeyringOptions } from './keyring-option.ts';
import { envelopeOnly, MetadataError, parseMetadata, type StoredMetadata } from './metadata-document.ts';
import { readSmallFile } from './small-file.ts';
import { manifestItems, sidecarItems, type TreeItem } from './tree-items.ts';
import { listTree, sidecarSuffix, withoutSidecars } from './tree.ts';

/** Options of `decrypt` that say what to decrypt. */
export interface DecryptOptions extends KeyringOptions {
  readonly bucket: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly output: string;
  readonly metadata?: string;
  readonly metadataValue?: string;
  readonly force?: true;
  readonly ignoreMetadata?: true;
}

/** What there is to decrypt. */
export interface DecryptPlan {
  readonly isTree: boolean;
  /** Length of all files with stored objects. */
  readonly totalBytes: number;
  /** To be called once; keys below `reservedPrefix` of a tree are skipped. */
  items(reservedPrefix: string): AsyncIterable<TreeItem>;
}

/**
 * Finds out what the arguments mean, before any key is opened.
 * @throws UsageError; the system's error for a source or a manifest that is not there.
 */
export async function planDecryption(io: CliIo, source: string, options: DecryptOptions): Promise<DecryptPlan> {
  const path = resolve(io.cwd, source);
  const facts = await stat(path);
  return facts.isDirectory() ? planTree(io, path, options) : planFile(io, path, { ...options, sizeBytes: facts.size });
}

async function planFile(
  io: CliIo,
  source: string,
  options: DecryptOptions & { readonly sizeBytes: number },
): Promise<DecryptPlan> {
  const { key, prefix, sizeBytes } = options;
  if (key === undefined) throw new UsageError('a file needs --key: the key that the object was stored under');
  if (prefix !== undefined) throw new UsageError('--prefix is for directories; a file has --key');
  const output = resolve(io.cwd, options.output);
  const metadata = await fileMetadata(io, source, options);
  const item: TreeItem =
    metadata instanceof MetadataError
      ? { kind: 'failed', name: key, error: metadata }
      : { kind: 'job', job: { source, key, metadata, output } };
  return { isTree: false, totalBytes: sizeBytes, items: () => itemsOf(item) };
}

async function* itemsOf(item: TreeItem): AsyncGenerator<TreeItem, void, undefined> {
  yield item;
}

/** The metadata, or what is wrong with it. */
async function fileMetadata(
  io: CliIo,
  source: string,
  { metadata, metadataValue }: DecryptOptions,
): Promise<StoredMetadata | MetadataError> {
  if (metadataValue !== undefined) return envelopeOnly(metadataValue);
  const sidecar = `${source}${sidecarSuffix}`;
  if (metadata === undefined && !(await isThere(sidecar))) {
    throw new UsageError(`where is the metadata? There is no ${sidecar}: give --metadata or --metadata-value`);
  }
  const path = metadata === undefined ? sidecar : metadata === '-' ? '-' : resolve(io.cwd, metadata);
  try {
    return parseMetadata(await readSmallFile(path));
  } catch (error) {
    if (error instanceof MetadataError) return new MetadataError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

async function planTree(io: CliIo, root: string, options: DecryptOptions): Promise<DecryptPlan> {
  const { key, prefix = '', metadataValue, metadata } = options;
  if (key !== undefined) throw new UsageError('--key is for a file; the keys of a directory begin with --prefix');
  if (metadataValue !== undefined) throw new UsageError('--metadata-value is for a file');
  if (prefix !== '' && !prefix.endsWith('/')) throw new UsageError('--prefix must end in "/"');
  const output = resolve(io.cwd, options.output);
  if (isWithin(output, root) || isWithin(root, output)) {
    throw new UsageError('--output must lie outside the directory that is decrypted, and not around it');
  }
  const manifest = metadata === undefined ? undefined : resolve(io.cwd, metadata);
  const found = await listTree(root);
  const files =
    manifest === undefined ? withoutSidecars(found) : found.filter(({ path }) => join(root, path) !== manifest);
  if (files.length === 0) throw new Error(`there is no file below ${root}`);
  return {
    isTree: true,
    totalBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    items: (reservedPrefix) => {
      const place = { root, output, prefix, reservedPrefix };
      return manifest === undefined ? sidecarItems(files, place) : manifestItems(files, manifest, place);
    },
  };
}

function isWithin(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`));
}
