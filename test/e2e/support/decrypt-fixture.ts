import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { startGateway, type Cleanups } from './cli-support.ts';
import { fetchStored, saveWithSidecar, type ProviderObject } from './stored-object.ts';

const mebibyte = 1024 * 1024;

/** What the fixture stores: an object per layout and border. */
const contents: Readonly<Record<string, readonly [Buffer, ...Buffer[]]>> = {
  'single.bin': [randomBytes(200_001)],
  'exact.bin': [randomBytes(131_072)],
  empty: [Buffer.alloc(0)],
  'folder/multi.bin': [randomBytes(5 * mebibyte + 1), randomBytes(5 * mebibyte + 65_535), randomBytes(70_001)],
  'folder/ünïcode 😀.txt': [Buffer.from('text with a strange name')],
};

/** Keys of all objects of the fixture. */
export const fixtureKeys: readonly string[] = Object.keys(contents);
/** The bucket that they were stored in. */
export const fixtureBucket = 'archive';
/** The client's bytes of an object. */
export function contentOf(key: string): Buffer {
  const parts = contents[key];
  assert.ok(parts !== undefined, key);
  return Buffer.concat(parts);
}

/** Paths of all files below a folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Whether a folder holds these objects as the client had them, and nothing else. */
export async function assertRestored(folder: string, keys: readonly string[] = fixtureKeys): Promise<void> {
  assert.deepEqual(await filesBelow(folder), [...keys].toSorted());
  for (const key of keys) assert.ok((await readFile(join(folder, key))).equals(contentOf(key)), key);
}

/** The summary that `--json` prints. */
export function summaryOf(stdout: string): {
  readonly ok: boolean;
  readonly decrypted: number;
  readonly skipped: number;
  readonly metadataNotChecked: number;
  readonly metadataDiffers: number;
  readonly failures: readonly { readonly name: string; readonly code: string; readonly message: string }[];
} {
  return JSON.parse(stdout);
}

/** Objects that a real gateway stored, as the provider has them, and the keyring that opens them. */
export class StoredFixture implements AsyncDisposable {
  readonly folder: string;
  readonly objects: ReadonlyMap<string, ProviderObject>;

  private constructor(folder: string, objects: ReadonlyMap<string, ProviderObject>) {
    this.folder = folder;
    this.objects = objects;
  }

  static async make(context: Cleanups): Promise<StoredFixture> {
    const folder = await mkdtemp(join(tmpdir(), 's3eg-fixture-'));
    const gateway = await startGateway(context, folder);
    await gateway.client.createBucket(fixtureBucket);
    const headers = { 'content-type': 'text/x-test', 'x-amz-meta-colour': 'dark red' };
    for (const [key, parts] of Object.entries(contents)) {
      if (parts.length === 1) await gateway.client.put(fixtureBucket, key, parts[0], headers);
      else await gateway.client.putParts(fixtureBucket, key, parts, headers);
    }
    assert.equal(await gateway.stop(), 0);
    return new StoredFixture(folder, await fetchStored(folder, fixtureBucket, fixtureKeys));
  }

  get keyring(): string {
    return join(this.folder, 'data', 'keyring.json');
  }

  object(key: string): ProviderObject {
    const object = this.objects.get(key);
    assert.ok(object !== undefined, key);
    return object;
  }

  /** Saves the bucket as a tree with a metadata file beside each object. */
  async saveTree(root: string): Promise<void> {
    for (const [key, object] of this.objects) {
      await mkdir(dirname(join(root, key)), { recursive: true });
      await saveWithSidecar(join(root, key), object);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
