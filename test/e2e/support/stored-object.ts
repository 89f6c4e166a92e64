import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';

/** What a provider holds of an object. */
export interface ProviderObject {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Fetches objects past the gateway, from the embedded store of the gateway that has its data below `folder`. */
export function fetchStored(
  folder: string,
  bucket: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, ProviderObject>> {
  return fetchStoredAt(join(folder, 'data', 'objects'), bucket, keys);
}

/** Likewise, from the embedded store in `root`. */
export async function fetchStoredAt(
  root: string,
  bucket: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, ProviderObject>> {
  const store = await FilesystemStore.open({ root });
  try {
    const found = new Map<string, ProviderObject>();
    for (const key of keys) {
      const { body, headers } = await store.getObject({ bucket, key });
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      found.set(key, { bytes: Buffer.concat(chunks), headers });
    }
    return found;
  } finally {
    await store.close();
  }
}

/** The metadata as `aws s3api head-object` prints it. */
export function headObjectJson({ bytes, headers }: ProviderObject): {
  readonly ContentType: string | undefined;
  readonly Metadata: Readonly<Record<string, string>>;
} {
  const userMetadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  const system = {
    AcceptRanges: 'bytes',
    LastModified: '2026-01-02T03:04:05+00:00',
    ContentLength: bytes.length,
    ETag: '"0123456789abcdef0123456789abcdef"',
  };
  return {
    ...system,
    ContentType: headers['content-type'],
    Metadata: Object.fromEntries(userMetadata.map(([name, value]) => [name.slice('x-amz-meta-'.length), value])),
  };
}

/** Writes a stored object and its metadata beside it, as a tool that fetched both would. */
export async function saveWithSidecar(path: string, object: ProviderObject): Promise<void> {
  await writeFile(path, object.bytes);
  await writeFile(`${path}.metadata.json`, JSON.stringify(headObjectJson(object), undefined, 4));
}
