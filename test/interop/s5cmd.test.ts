import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { s5cmd, type CommandClient } from './support/commands.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import type { Finished } from './support/processes.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { digest, fileDigest, treeDigests } from './support/workspace.ts';

const bigBytes = 23_000_001;
const oddKeys = ['per%cent', '%2B+%20 plus', `quotes '"&<>`, 'ü 🙂', '#hash;semi,comma=1'];

/** One line of its answer: what it did, or an entry of a listing. */
interface Line {
  readonly operation?: string;
  readonly success?: boolean;
  readonly key?: string;
  readonly size?: number;
  readonly type?: string;
}

function answered({ stdout, stderr }: Finished): readonly Line[] {
  assert.equal(stderr, '', 'it complains of nothing');
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line): Line => JSON.parse(line));
}

/** How many transfers it reports; all went well. */
function moved(finished: Finished): number {
  const lines = answered(finished).filter(({ operation }) => operation === 'cp');
  assert.ok(lines.every(({ success }) => success === true));
  return lines.length;
}

for (const backend of backendNames) {
  describe(`s5cmd, ${backend}`, () => {
    const workspace = ownWorkspace();
    const bucket = 's3://s5cmd-bucket';
    let client: CommandClient;
    let tree: string;
    let big: string;
    let back: string;

    /** Sizes by path below a prefix; it leaves out a size of 0. */
    const listed = async (prefix: string): Promise<ReadonlyMap<string, number>> => {
      const lines = answered(await client.ok('ls', `${prefix}/*`));
      return new Map(lines.map(({ key = '', size = 0 }) => [key.slice(prefix.length + 1), size]));
    };

    before(async () => {
      const { gateway } = await startSite(backend, workspace);
      client = await s5cmd(workspace, gateway.access);
      tree = await makeTree(workspace);
      back = await workspace.folder('back');
      big = join(await workspace.folder('big'), 'big.bin');
      await writePlaintext(big, 's5cmd big', bigBytes);
      await client.ok('mb', bucket);
    });

    test('syncs up, then moves nothing, lists right sizes, and syncs down the same bytes', async () => {
      assert.equal(moved(await client.ok('sync', `${tree}/`, `${bucket}/tree/`)), treeSizes.size);
      assert.equal(moved(await client.ok('sync', `${tree}/`, `${bucket}/tree/`)), 0);
      assert.deepEqual(await listed(`${bucket}/tree`), treeSizes);
      const folder = await workspace.folder('tree-back');
      assert.equal(moved(await client.ok('sync', `${bucket}/tree/*`, `${folder}/`)), treeSizes.size);
      assert.deepEqual(await treeDigests(folder), await treeDigests(tree));
      assert.equal(moved(await client.ok('sync', `${bucket}/tree/*`, `${folder}/`)), 0);
    });

    test('uploads in parts, and downloads by ranges', async () => {
      const inParts = ['--part-size', '5', '--concurrency', '3'];
      assert.equal(moved(await client.ok('cp', ...inParts, big, `${bucket}/big.bin`)), 1);
      assert.equal(moved(await client.ok('cp', ...inParts, `${bucket}/big.bin`, join(back, 'big.bin'))), 1);
      assert.equal(await fileDigest(join(back, 'big.bin')), await fileDigest(big));
      assert.deepEqual(await listed(bucket), new Map([['big.bin', bigBytes], ...inTree()]));
    });

    test('copies and moves keys that have to be escaped', async () => {
      const odd = await workspace.folder('odd');
      for (const key of oddKeys) await writeFile(join(odd, key), plaintext(key, 65_537));
      assert.equal(moved(await client.ok('cp', `${odd}/`, `${bucket}/odd/`)), oddKeys.length);
      assert.equal(moved(await client.ok('cp', `${bucket}/odd/*`, `${bucket}/copied/`)), oddKeys.length);
      await client.ok('mv', `${bucket}/odd/*`, `${bucket}/moved/`);
      const wanted = new Map(oddKeys.map((key) => [key, 65_537]));
      for (const prefix of ['copied', 'moved']) {
        assert.deepEqual(await listed(`${bucket}/${prefix}`), wanted);
        const folder = await workspace.folder(prefix);
        await client.ok('cp', `${bucket}/${prefix}/*`, `${folder}/`);
        assert.deepEqual(await treeDigests(folder), await treeDigests(odd));
      }
      const { code, stdout } = await client.run('ls', `${bucket}/odd/*`);
      assert.deepEqual([code, stdout], [1, ''], 'a move leaves nothing behind');
    });

    test('signs a URL that any HTTP client can get', async () => {
      const { stdout } = await client.ok('presign', '--expire', '1m', `${bucket}/tree/with space/and+plus&more=1.txt`);
      const answer = await fetch(stdout.trim());
      const source = join(tree, 'with space/and+plus&more=1.txt');
      assert.equal(digest(new Uint8Array(await answer.arrayBuffer())), digest(await readFile(source)));
    });

    test('removes everything, then the bucket', async () => {
      const removed = answered(await client.ok('rm', `${bucket}/*`));
      assert.equal(removed.length, treeSizes.size + 1 + 2 * oddKeys.length);
      assert.ok(removed.every(({ operation, success }) => operation === 'rm' && success === true));
      await client.ok('rb', bucket);
      assert.equal((await client.run('head', `${bucket}/big.bin`)).code, 1);
    });
  });
}

/** The tree's files as a listing of the whole bucket names them. */
function inTree(): readonly (readonly [string, number])[] {
  return [...treeSizes].map(([path, lengthBytes]) => [`tree/${path}`, lengthBytes]);
}
