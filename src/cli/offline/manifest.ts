import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { isJsonObject, MetadataError, metadataOf, parseJson, type StoredMetadata } from './metadata-document.ts';

/** One object of a manifest. */
interface ManifestObject {
  /** Whole key (of a field `Key`) or path below the listed prefix (rclone's `Path`). */
  readonly name: { readonly key: string } | { readonly path: string };
  readonly metadata: StoredMetadata;
}

/** One entry of a manifest, or what is wrong with it, and where. */
export type ManifestEntry = ManifestObject | { readonly error: MetadataError };

/** How much of the file tells in which form it is. */
const probeBytes = 65_536;
/** Largest manifest that is read as one JSON text; one entry a line has no limit. */
const maxWholeBytes = 256 * 1024 * 1024;

/**
 * The entries of a manifest, one after the other: JSON Lines, or a JSON list; one with an entry a line, as rclone writes
 * it, is read line by line as well, in constant memory. Directories are left out.
 * @throws MetadataError for a list that cannot be parsed; the system's error.
 */
export async function* readManifest(file: string): AsyncGenerator<ManifestEntry, void, undefined> {
  if (await hasEntryPerLine(file)) yield* readLines(file);
  else yield* readWhole(file);
}

async function hasEntryPerLine(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(probeBytes), 0, probeBytes, 0);
    const lines = buffer.toString('utf8', 0, bytesRead).replace('\uFEFF', '').split('\n').map(entryText);
    const first = lines.find((line) => line !== '');
    return first !== undefined && isJsonObject(tryParse(first));
  } finally {
    await handle.close();
  }
}

async function* readLines(file: string): AsyncGenerator<ManifestEntry, void, undefined> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    const text = entryText(line.replace('\uFEFF', ''));
    if (text === '') continue;
    yield* entryAt(() => parseJson(text), `line ${number}`);
  }
}

async function* readWhole(file: string): AsyncGenerator<ManifestEntry, void, undefined> {
  const { size } = await stat(file);
  if (size > maxWholeBytes) throw new MetadataError('it is too large to be read at once: write one entry a line');
  const document = parseJson((await readFile(file, 'utf8')).replace('\uFEFF', ''));
  const entries: readonly unknown[] = Array.isArray(document) ? document : [document];
  for (const [index, entry] of entries.entries()) yield* entryAt(() => entry, `entry ${index + 1}`);
}

function* entryAt(read: () => unknown, place: string): Generator<ManifestEntry, void, undefined> {
  try {
    const entry = read();
    if (!isJsonObject(entry)) throw new MetadataError('it is no JSON object');
    if (entry['IsDir'] !== true) yield { name: nameOf(entry), metadata: metadataOf(entry) };
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    yield { error: new MetadataError(`${place} of the manifest: ${error.message}`, { cause: error }) };
  }
}

function nameOf({ Key: key, Path: path }: Readonly<Record<string, unknown>>): ManifestObject['name'] {
  if (typeof key === 'string') return { key };
  if (typeof path === 'string') return { path };
  throw new MetadataError('it has neither Key nor Path');
}

/** A line without what makes a list of the lines. */
function entryText(line: string): string {
  return line
    .trim()
    .replace(/^\[/, '')
    .replace(/,?\]?,?$/, '')
    .trim();
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
