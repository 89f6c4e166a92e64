/** The provider's side: what is stored, seen past the gateway. Here that is the embedded store, opened a second time. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FilesystemStore } from '../../src/store/filesystem/filesystem-store.ts';

/** An object as the provider has it. */
export interface StoredObject {
  readonly bytes: Buffer;
  /** User metadata and content type. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The store below a data directory, for as long as it is needed. */
export class Provider {
  readonly #root: string;

  constructor(dataDir: string) {
    this.#root = join(dataDir, 'objects');
  }

  async fetch(bucket: string, key: string): Promise<StoredObject> {
    return await this.#with(async (store) => {
      const { body, headers } = await store.getObject({ bucket, key });
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      const kept = Object.entries(headers).filter(([name]) => /^(x-amz-meta-|content-type$)/.test(name));
      return { bytes: Buffer.concat(chunks), headers: Object.fromEntries(kept) };
    });
  }

  /** Puts a stored object back, as a restore from a backup does. */
  async putBack(bucket: string, key: string, { bytes, headers }: StoredObject): Promise<void> {
    const body = (async function* () {
      yield bytes;
    })();
    await this.#with(async (store) => {
      await store.putObject({ bucket, key, headers, body, lengthBytes: bytes.length });
    });
  }

  /** Names of the files below the store that have these bytes in them. */
  async filesWith(bytes: string): Promise<readonly string[]> {
    const entries = await readdir(this.#root, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const found = await Promise.all(files.map(async (file) => ((await readFile(file)).includes(bytes) ? [file] : [])));
    return found.flat();
  }

  async #with<Result>(use: (store: FilesystemStore) => Promise<Result>): Promise<Result> {
    const store = await FilesystemStore.open({ root: this.#root });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }
}

/** Writes an object and its metadata into two files, as a tool does that fetches it from a provider. */
export async function saveStored(path: string, { bytes, headers }: StoredObject): Promise<void> {
  await writeFile(path, bytes);
  await writeFile(`${path}.metadata.json`, JSON.stringify(headers));
}
