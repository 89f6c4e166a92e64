import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';

/** One entry of a keyring file as it stands there. */
export interface WrittenKey {
  readonly version: string;
  readonly key: string;
  readonly created: string;
}

/** A folder that goes with the test. */
export async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 's3eg-keyring-'));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}

/** Memory of every key that is read from now on, in order, and the buffers that it was decoded into before. */
export function watchKeys(context: TestContext): { readonly keys: Uint8Array[]; readonly decoded: Uint8Array[] } {
  const keys: Uint8Array[] = [];
  const decoded: Uint8Array[] = [];
  context.mock.method(SecretBytes, 'copyOf', (bytes: Uint8Array) => {
    const memory = new Uint8Array(bytes);
    keys.push(memory);
    decoded.push(bytes);
    return new SecretBytes(memory);
  });
  return { keys, decoded };
}

/** An entry whose 32 bytes are easy to find again: 0xN0 … */
export function written(version: number): WrittenKey {
  const bytes = Uint8Array.from({ length: 32 }, (_, index) => (version * 37 + index * 11 + 5) & 0xff);
  return { version: String(version), key: Buffer.from(bytes).toString('base64'), created: '2026-01-01T00:00:00.000Z' };
}

/** The text of a keyring file. */
export function keyringText(...keys: readonly object[]): string {
  return JSON.stringify({ version: 1, keys }, undefined, 2);
}

/** Puts a keyring file in its place, as an editor does it: a new file, of mode 0600. */
export async function writeKeyring(file: string, text: string | Uint8Array, mode = 0o600): Promise<void> {
  await writeFile(`${file}.new`, text);
  await chmod(`${file}.new`, mode);
  await rename(`${file}.new`, file);
}
