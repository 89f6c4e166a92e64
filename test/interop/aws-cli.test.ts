import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { awsCli, type CommandClient } from './support/commands.ts';
import { writePlaintext } from './support/plaintext.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { digest, fileDigest, slice, treeDigests } from './support/workspace.ts';

const bigBytes = 300 * 1024 * 1024;

/** What the CLI says it moved. */
function moved(stdout: string): readonly string[] {
  return stdout.split(/[\n\r]/).filter((line) => /^(upload|download|copy|delete): /.test(line));
}

for (const backend of backendNames) {
  describe(`AWS CLI, ${backend}`, () => {
    const workspace = ownWorkspace();
    let aws: CommandClient;
    let big: string;

    before(async () => {
      const { gateway } = await startSite(backend, workspace);
      aws = await awsCli(workspace, gateway.access);
      big = join(await workspace.folder('big'), 'big.bin');
      await writePlaintext(big, 'big', bigBytes);
      await aws.ok('s3', 'mb', 's3://aws-bucket');
    });

    test('copies 300 MiB up and down at default concurrency', async () => {
      const back = join(await workspace.folder('back'), 'big.bin');
      await aws.ok('s3', 'cp', '--no-progress', big, 's3://aws-bucket/big.bin');
      await aws.ok('s3', 'cp', '--no-progress', 's3://aws-bucket/big.bin', back);
      assert.equal(await fileDigest(back), await fileDigest(big));
    });

    test('reads ranges of a multipart object', async () => {
      const folder = await workspace.folder('ranges');
      const ranges = [
        [0, 0],
        [8 * 1024 * 1024 - 1, 8 * 1024 * 1024],
        [100_000_000, 100_500_000],
        [bigBytes - 1, bigBytes - 1],
      ] as const;
      for (const [first, last] of ranges) {
        const file = join(folder, `${first}`);
        const range = `bytes=${first}-${last}`;
        await aws.ok('s3api', 'get-object', '--bucket', 'aws-bucket', '--key', 'big.bin', '--range', range, file);
        assert.equal(await fileDigest(file), digest(await slice(big, first, last)), range);
      }
    });

    test('puts, heads and gets an object with its metadata', async () => {
      const folder = await workspace.folder('metadata');
      const object = ['--bucket', 'aws-bucket', '--key', 'dir/with meta'];
      const body = join(await makeTree(workspace), 'deep/er/other.bin');
      const headers = ['--content-type', 'text/x-test', '--metadata', 'colour=blue,shape=round'];
      const put = await aws.ok(
        's3api',
        'put-object',
        ...object,
        ...headers,
        '--body',
        body,
        '--checksum-algorithm',
        'SHA256',
      );
      const get = await aws.ok('s3api', 'get-object', ...object, '--checksum-mode', 'ENABLED', join(folder, 'out'));
      const head = await aws.ok('s3api', 'head-object', ...object);
      const putAnswer: { ETag: string; ChecksumSHA256: string } = JSON.parse(put.stdout);
      const headAnswer: Record<string, unknown> = JSON.parse(head.stdout);
      const getAnswer: Record<string, unknown> = JSON.parse(get.stdout);
      const wanted = {
        ETag: putAnswer.ETag,
        ContentLength: 200_000,
        ContentType: 'text/x-test',
        Metadata: { colour: 'blue', shape: 'round' },
      };
      for (const [name, value] of Object.entries(wanted)) {
        assert.deepEqual(headAnswer[name], value, `HEAD ${name}`);
        assert.deepEqual(getAnswer[name], value, `GET ${name}`);
      }
      const sha256 = createHash('sha256')
        .update(await readFile(join(folder, 'out')))
        .digest('base64');
      assert.equal(getAnswer['ChecksumSHA256'], sha256);
    });

    test('syncs up, then moves nothing, lists right sizes, and syncs down the same bytes', async () => {
      const tree = await makeTree(workspace);
      const first = await aws.ok('s3', 'sync', '--no-progress', tree, 's3://aws-bucket/tree');
      assert.equal(moved(first.stdout).length, treeSizes.size, first.stdout);
      const second = await aws.ok('s3', 'sync', '--no-progress', tree, 's3://aws-bucket/tree');
      assert.deepEqual(moved(second.stdout), [], 'the second sync up moves nothing');

      const { stdout } = await aws.ok('s3', 'ls', '--recursive', 's3://aws-bucket/tree/');
      const listed = stdout
        .split('\n')
        .map((line) => /^\S+ \S+ +(\d+) tree\/(.*)$/.exec(line))
        .filter((match) => match !== null)
        .map(([, size, path]): [string, number] => [path ?? '', Number(size)]);
      assert.deepEqual(new Map(listed), treeSizes);

      const back = await workspace.folder('tree-back');
      await aws.ok('s3', 'sync', '--no-progress', 's3://aws-bucket/tree', back);
      assert.deepEqual(await treeDigests(back), await treeDigests(tree));
      const again = await aws.ok('s3', 'sync', '--no-progress', 's3://aws-bucket/tree', back);
      assert.deepEqual(moved(again.stdout), [], 'the second sync down moves nothing');
    });

    test('removes everything, then the bucket', async () => {
      await aws.ok('s3', 'rm', '--recursive', 's3://aws-bucket/');
      const { stdout } = await aws.ok('s3api', 'list-objects-v2', '--bucket', 'aws-bucket', '--no-paginate');
      const listing: { KeyCount: number; Contents?: unknown } = JSON.parse(stdout);
      assert.deepEqual([listing.KeyCount, listing.Contents], [0, undefined]);
      await aws.ok('s3', 'rb', 's3://aws-bucket');
      const { code } = await aws.run('s3api', 'head-bucket', '--bucket', 'aws-bucket');
      assert.notEqual(code, 0, 'the bucket is gone');
    });
  });
}
