import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { restic, type CommandClient } from './support/commands.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import type { Finished } from './support/processes.ts';
import { ownWorkspace, startSite } from './support/site.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { treeDigests } from './support/workspace.ts';

/** What it says at the end of a backup. */
interface Summary {
  readonly message_type: 'summary';
  readonly files_new: number;
  readonly files_changed: number;
  readonly files_unmodified: number;
  readonly data_blobs: number;
  readonly snapshot_id: string;
}

function summaryOf({ stdout, stderr }: Finished): Summary {
  assert.equal(stderr, '', 'it complains of nothing');
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  const summary: Summary = JSON.parse(last);
  assert.equal(summary.message_type, 'summary', stdout);
  return summary;
}

for (const backend of ['embedded', 'minio'] as const) {
  describe(`restic, ${backend}`, () => {
    const workspace = ownWorkspace();
    let client: CommandClient;
    let tree: string;
    let first: Summary;
    let firstDigests: Readonly<Record<string, string>>;

    /** All files of a snapshot, restored to a fresh folder. */
    const restored = async ({ snapshot_id }: Summary): Promise<Readonly<Record<string, string>>> => {
      const target = await workspace.folder('restored');
      await client.ok('restore', snapshot_id, '--target', target);
      return await treeDigests(join(target, tree));
    };

    before(async () => {
      const { gateway } = await startSite(backend, workspace);
      client = await restic(workspace, gateway.access, 'restic-bucket');
      tree = await makeTree(workspace);
      // More than one pack of its usual size.
      await writePlaintext(join(tree, 'large'), 'restic large', 20_000_001);
      await client.ok('init');
    });

    test('backs up, and restores the same bytes', async () => {
      first = summaryOf(await client.ok('backup', tree));
      firstDigests = await treeDigests(tree);
      assert.equal(first.files_new, treeSizes.size + 1);
      assert.deepEqual(await restored(first), firstDigests);
    });

    test('backs up again: nothing new, and no bytes', async () => {
      const second = summaryOf(await client.ok('backup', tree));
      assert.deepEqual(
        [second.files_new, second.files_changed, second.files_unmodified, second.data_blobs],
        [0, 0, treeSizes.size + 1, 0],
      );
    });

    test('backs up what changed, and restores both states', async () => {
      await writeFile(join(tree, 'segment'), plaintext('changed', 65_536));
      await writeFile(join(tree, 'new'), plaintext('new', 123_456));
      await rename(join(tree, 'one byte'), join(tree, 'one byte, renamed'));
      await rm(join(tree, 'deep/er/other.bin'));
      const third = summaryOf(await client.ok('backup', tree));
      assert.deepEqual([third.files_new, third.files_changed], [2, 1]);
      assert.deepEqual(await restored(third), await treeDigests(tree));
      assert.deepEqual(await restored(first), firstDigests);
    });

    test('finds no damage in all that is stored, before and after pruning', async () => {
      const { stderr } = await client.ok('check', '--read-data');
      assert.equal(stderr, '');
      await client.ok('forget', '--keep-last', '1', '--prune');
      await client.ok('check', '--read-data');
      const { stdout } = await client.ok('snapshots');
      const snapshots: readonly object[] = JSON.parse(stdout);
      assert.equal(snapshots.length, 1);
      const target = await workspace.folder('latest');
      await client.ok('restore', 'latest', '--target', target);
      assert.deepEqual(await treeDigests(join(target, tree)), await treeDigests(tree));
    });
  });
}
