import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { backendNames } from './support/backends.ts';
import { rclone, type CommandClient } from './support/commands.ts';
import { writePlaintext } from './support/plaintext.ts';
import type { Finished } from './support/processes.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { fileDigest, treeDigests } from './support/workspace.ts';

/** What rclone says of a run in its JSON log. */
interface Stats {
  readonly transfers: number;
  readonly errors: number;
  readonly checks: number;
}

const logAsJson = ['--use-json-log', '--log-level', 'INFO', '--stats', '1h'];

/** The statistics at the end of the log; fails where any line is a complaint. */
function cleanStats({ stderr }: Finished): Stats {
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  const entries = lines.map((line): { level: string; msg: string; stats?: Stats } => JSON.parse(line));
  const complaints = entries.filter(({ level, msg }) => !['info', 'notice'].includes(level) || /corrupt/i.test(msg));
  assert.deepEqual(complaints, [], stderr);
  const stats = entries.findLast((entry) => entry.stats !== undefined)?.stats;
  assert.ok(stats !== undefined, stderr);
  assert.equal(stats.errors, 0, stderr);
  return stats;
}

for (const backend of backendNames) {
  describe(`rclone, ${backend}`, () => {
    const workspace = ownWorkspace();
    let client: CommandClient;
    let tree: string;

    before(async () => {
      const { gateway } = await startSite(backend, workspace);
      client = await rclone(workspace, { gate: gateway.access });
      tree = await makeTree(workspace);
      await client.ok('mkdir', 'gate:rclone-bucket');
    });

    test('syncs up clean, and the second sync transfers nothing', async () => {
      const first = cleanStats(await client.ok(...logAsJson, 'sync', tree, 'gate:rclone-bucket/tree'));
      assert.equal(first.transfers, treeSizes.size);
      const second = cleanStats(await client.ok(...logAsJson, 'sync', tree, 'gate:rclone-bucket/tree'));
      assert.equal(second.transfers, 0);
      assert.equal(second.checks, treeSizes.size);
    });

    test('checks what is stored against the source, by size and by content', async () => {
      cleanStats(await client.ok(...logAsJson, 'check', tree, 'gate:rclone-bucket/tree'));
      cleanStats(await client.ok(...logAsJson, 'check', '--download', tree, 'gate:rclone-bucket/tree'));
    });

    test('lists the right sizes', async () => {
      const { stdout } = await client.ok('lsjson', '--recursive', '--files-only', 'gate:rclone-bucket/tree');
      const listed: readonly { Path: string; Size: number }[] = JSON.parse(stdout);
      assert.deepEqual(new Map(listed.map(({ Path, Size }) => [Path, Size])), treeSizes);
    });

    test('syncs down the same bytes, and nothing the second time', async () => {
      const back = await workspace.folder('back');
      const first = cleanStats(await client.ok(...logAsJson, 'sync', 'gate:rclone-bucket/tree', back));
      assert.equal(first.transfers, treeSizes.size);
      assert.deepEqual(await treeDigests(back), await treeDigests(tree));
      const second = cleanStats(await client.ok(...logAsJson, 'sync', 'gate:rclone-bucket/tree', back));
      assert.equal(second.transfers, 0);
    });

    test('uploads in parts and reads a range', async () => {
      const file = join(await workspace.folder('big'), 'big.bin');
      await writePlaintext(file, 'rclone big', 40_000_001);
      const inParts = ['--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M'];
      cleanStats(await client.ok(...logAsJson, ...inParts, 'copyto', file, 'gate:rclone-bucket/big.bin'));
      const back = join(await workspace.folder('big-back'), 'big.bin');
      cleanStats(await client.ok(...logAsJson, 'copyto', 'gate:rclone-bucket/big.bin', back));
      assert.equal(await fileDigest(back), await fileDigest(file));
      const part = await client.ok('cat', '--offset', '5242870', '--count', '20', 'gate:rclone-bucket/big.bin');
      assert.equal(part.stdout, (await client.ok('cat', '--offset', '5242870', '--count', '20', file)).stdout);
    });

    test('deletes everything, then the bucket', async () => {
      await client.ok('purge', 'gate:rclone-bucket');
      const { stdout } = await client.ok('lsjson', 'gate:');
      assert.deepEqual(JSON.parse(stdout), []);
    });
  });
}
