/** Pages of a bucket of thousands of objects: every key once, with its own size, for one request of the backend each. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startServer } from './support/backends.ts';
import { CountingProxy } from './support/counting-proxy.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext } from './support/plaintext.ts';
import { S3Agent, type Listed, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';

const Bucket = 'many';
const folders = 5;
const perFolder = 600;
const sizes = [0, 1, 70_001];

interface Page {
  readonly Contents?: readonly Listed[];
  readonly CommonPrefixes?: readonly { readonly Prefix: string }[];
  readonly IsTruncated: boolean;
  readonly NextMarker?: string;
  readonly NextContinuationToken?: string;
}

type Parameters = Readonly<Record<string, unknown>>;

interface Form {
  readonly name: string;
  readonly method: 'list_objects' | 'list_objects_v2';
  readonly parameters: Parameters;
  /** A page that is smaller than 1 000 keys and met a key of the gateway's own is filled up by a second request. */
  readonly filledUp?: number;
  /** How the next page is asked for. */
  readonly next: (page: Page) => Parameters;
}

const lastKey = (page: Page): string | undefined => page.Contents?.at(-1)?.Key;
const byToken = (page: Page): Parameters => ({ ContinuationToken: page.NextContinuationToken });
const byKey = (page: Page): Parameters => ({ StartAfter: lastKey(page) });
const byMarker = (page: Page): Parameters => ({ Marker: page.NextMarker ?? lastKey(page) });

const forms: readonly Form[] = [
  { name: 'version 1', method: 'list_objects', parameters: {}, next: byMarker },
  { name: 'version 1, 333 keys', method: 'list_objects', parameters: { MaxKeys: 333 }, filledUp: 1, next: byMarker },
  { name: 'version 2, by token', method: 'list_objects_v2', parameters: {}, next: byToken },
  { name: 'version 2, by key', method: 'list_objects_v2', parameters: {}, next: byKey },
  { name: 'version 2, 450 keys', method: 'list_objects_v2', parameters: { MaxKeys: 450 }, filledUp: 1, next: byToken },
  { name: 'a folder', method: 'list_objects_v2', parameters: { Prefix: 'folder 3/', MaxKeys: 250 }, next: byToken },
  {
    name: 'a folder, version 1',
    method: 'list_objects',
    parameters: { Prefix: 'folder 3/', MaxKeys: 250 },
    next: byMarker,
  },
  { name: 'folders', method: 'list_objects_v2', parameters: { Delimiter: '/', MaxKeys: 1000 }, next: byToken },
  { name: 'from a key on', method: 'list_objects_v2', parameters: { StartAfter: 'folder 4/0100 +&' }, next: byToken },
];

const keyOf = (folder: number, index: number): string => `folder ${folder}/${String(index).padStart(4, '0')} +&`;

/** The size of each object by its key, in the order of a listing. */
const stored = new Map(
  Array.from({ length: folders }, (_, folder) =>
    Array.from({ length: perFolder }, (_item, index) => [keyOf(folder, index), sizes[index % sizes.length]] as const),
  ).flat(),
);

describe('pages of thousands of objects', () => {
  const workspace = ownWorkspace();
  let client: S3Client;
  let proxy: CountingProxy;

  before(async () => {
    const backend = await startServer('minio', workspace);
    proxy = await CountingProxy.start(backend.access.endpoint, workspace);
    const gateway = await Gateway.start({ workspace, backend, proxiedBy: proxy.endpoint });
    client = (await S3Agent.start(workspace)).client(gateway.access);
    await client.createBucket(Bucket);
    for (const size of sizes) await client.put(Bucket, `size-${size}`, plaintext(`size ${size}`, size));
    await fill(join(backend.root, Bucket));
    for (const size of sizes) await client.delete(Bucket, `size-${size}`);
  });

  for (const form of forms) {
    test(form.name, async () => {
      const before = proxy.requests;
      const pages = await allPages(client, form);
      assert.equal(proxy.requests - before, pages.length + (form.filledUp ?? 0), 'requests of the backend');
      const listed = pages.flatMap(({ Contents = [] }) => Contents.map(({ Key, Size }) => [Key, Size]));
      const prefixes = pages.flatMap(({ CommonPrefixes = [] }) => CommonPrefixes.map(({ Prefix }) => Prefix));
      assert.deepEqual({ listed, prefixes }, expected(form.parameters));
    });
  }
});

/** Copies of MinIO's files of the objects, which for MinIO are objects: thousands at no cost. */
async function fill(root: string): Promise<void> {
  const originals = await Promise.all(sizes.map((size) => readFile(join(root, `size-${size}`, 'xl.meta'))));
  for (const [index, key] of [...stored.keys()].entries()) {
    const original = originals[(index % perFolder) % sizes.length];
    if (original === undefined) throw new Error('no object to copy');
    await mkdir(join(root, key), { recursive: true });
    await writeFile(join(root, key, 'xl.meta'), original);
  }
}

async function allPages(client: S3Client, { method, parameters, next }: Form): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let page: Page = await client.call(method, { Bucket, ...parameters });
  pages.push(page);
  while (page.IsTruncated) {
    page = await client.call(method, { Bucket, ...parameters, ...next(page) });
    pages.push(page);
  }
  return pages;
}

function expected({ Prefix = '', Delimiter, StartAfter = '' }: Parameters): object {
  const chosen = [...stored].filter(([key]) => key.startsWith(String(Prefix)) && key > String(StartAfter));
  if (Delimiter === undefined) return { listed: chosen.map(([key, size]) => [key, size]), prefixes: [] };
  return { listed: [], prefixes: [...new Set(chosen.map(([key]) => `${key.split('/')[0] ?? ''}/`))] };
}
