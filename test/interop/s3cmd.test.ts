import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { s3cmd, type CommandClient } from './support/commands.ts';
import { writePlaintext } from './support/plaintext.ts';
import type { Finished } from './support/processes.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { fileDigest, treeDigests } from './support/workspace.ts';

/** What it says of each file that it moved; fails where it warned of anything. */
function cleanTransfers({ stdout, stderr }: Finished): readonly string[] {
  const both = `${stdout}\n${stderr}`;
  assert.doesNotMatch(both, /WARNING|ERROR|MD5|corrupt/i);
  return both.split('\n').filter((line) => /^(upload|download): /.test(line));
}

for (const backend of backendNames) {
  describe(`s3cmd, ${backend}`, () => {
    const workspace = ownWorkspace();
    let client: CommandClient;
    let tree: string;

    before(async () => {
      const { gateway } = await startSite(backend, workspace);
      client = await s3cmd(workspace, gateway.access);
      tree = await makeTree(workspace);
      await client.ok('mb', 's3://s3cmd-bucket');
    });

    test('puts and gets small and multipart files clean', async () => {
      const folder = await workspace.folder('files');
      const back = await workspace.folder('files-back');
      for (const [name, lengthBytes] of [
        ['small', 123_456],
        ['large', 33_000_001],
      ] as const) {
        const file = join(folder, name);
        await writePlaintext(file, `s3cmd ${name}`, lengthBytes);
        cleanTransfers(await client.ok('put', file, `s3://s3cmd-bucket/${name}`));
        cleanTransfers(await client.ok('get', `s3://s3cmd-bucket/${name}`, join(back, name)));
      }
      assert.deepEqual(await treeDigests(back), await treeDigests(folder));
    });

    test('resumes a download with a range', async () => {
      const back = join(await workspace.folder('resumed'), 'large');
      await writePlaintext(back, 's3cmd large', 11_000_000);
      cleanTransfers(await client.ok('get', '--continue', 's3://s3cmd-bucket/large', back));
      const whole = join(await workspace.folder('whole'), 'large');
      await writePlaintext(whole, 's3cmd large', 33_000_001);
      assert.equal(await fileDigest(back), await fileDigest(whole));
    });

    test('syncs up clean, and the second sync moves nothing', async () => {
      const first = cleanTransfers(await client.ok('sync', `${tree}/`, 's3://s3cmd-bucket/tree/'));
      assert.equal(first.length, treeSizes.size);
      const second = cleanTransfers(await client.ok('sync', `${tree}/`, 's3://s3cmd-bucket/tree/'));
      assert.deepEqual(second, []);
    });

    test('lists the right sizes', async () => {
      const { stdout } = await client.ok('ls', '--recursive', 's3://s3cmd-bucket/tree/');
      const listed = stdout
        .split('\n')
        .map((line) => /^\S+ \S+ +(\d+) +s3:\/\/s3cmd-bucket\/tree\/(.*)$/.exec(line))
        .filter((match) => match !== null)
        .map(([, size, path]): [string, number] => [path ?? '', Number(size)]);
      assert.deepEqual(new Map(listed), treeSizes);
    });

    test('syncs down the same bytes, and nothing the second time', async () => {
      const back = await workspace.folder('back');
      cleanTransfers(await client.ok('sync', 's3://s3cmd-bucket/tree/', `${back}/`));
      assert.deepEqual(await treeDigests(back), await treeDigests(tree));
      assert.deepEqual(cleanTransfers(await client.ok('sync', 's3://s3cmd-bucket/tree/', `${back}/`)), []);
    });

    test('deletes everything, then the bucket', async () => {
      await client.ok('del', '--recursive', '--force', 's3://s3cmd-bucket/');
      await client.ok('rb', 's3://s3cmd-bucket');
      assert.equal((await client.ok('ls')).stdout.trim(), '');
    });
  });
}
