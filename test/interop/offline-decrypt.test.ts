/** Objects that common tools fetched from the provider, past the gateway, open with the command and the keyring alone. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { before, describe, test } from 'node:test';

import { startServer, serverNames, type S3Access } from './support/backends.ts';
import { awsCli, rclone, s3cmd, type CommandClient } from './support/commands.ts';
import { Gateway } from './support/gateway.ts';
import { run, type Finished } from './support/processes.ts';
import { ownWorkspace } from './support/site.ts';
import { repository } from './support/tools.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { fileDigest, treeDigests } from './support/workspace.ts';

const bucket = 'vault';

interface Summary {
  readonly decrypted: number;
  readonly metadataNotChecked: number;
  readonly metadataDiffers: number;
  readonly failures: readonly unknown[];
}

for (const backend of serverNames) {
  describe(`s3eg decrypt, ${backend}`, () => {
    const workspace = ownWorkspace();
    let provider: S3Access;
    let keyring = '';
    let tree = '';

    before(async () => {
      const server = await startServer(backend, workspace);
      provider = server.access;
      const gateway = await Gateway.start({ workspace, backend: server });
      ({ keyring } = gateway);
      tree = await makeTree(workspace);
      const aws = await awsCli(workspace, gateway.access);
      await aws.ok('s3', 'mb', `s3://${bucket}`);
      await aws.ok('s3', 'sync', tree, `s3://${bucket}/aws/`, '--metadata', 'colour=dark red');
      const remote = await rclone(workspace, { gate: gateway.access });
      const settings = ['--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M'];
      await remote.ok('sync', tree, `gate:${bucket}/rclone`, ...settings);
      const cmd = await s3cmd(workspace, gateway.access);
      await cmd.ok(
        'put',
        join(tree, 'deep/er/other.bin'),
        `s3://${bucket}/s3cmd/other.bin`,
        '--add-header=x-amz-meta-n:1',
      );
      await gateway.stop();
    });

    async function s3eg(...args: readonly string[]): Promise<Finished> {
      const cwd = await workspace.folder('s3eg');
      const env = { PATH: '/usr/bin:/bin', HOME: cwd };
      return await run({ program: execPath, args: [join(repository, 'bin/s3eg.mjs'), ...args], cwd, env });
    }

    /** Decrypts into a fresh folder, which must then hold the tree. */
    async function restoreTree(stored: string, ...more: readonly string[]): Promise<Summary> {
      const output = join(await workspace.folder('restored'), 'tree');
      const options = ['--bucket', bucket, '--keyring', keyring, '--output', output, '--json'];
      const { code, stdout, stderr } = await s3eg('decrypt', stored, ...options, ...more);
      assert.equal(code, 0, `${stdout}${stderr}`);
      assert.deepEqual(await treeDigests(output), await treeDigests(tree));
      const summary: Summary = JSON.parse(stdout);
      assert.equal(summary.decrypted, treeSizes.size);
      return summary;
    }

    test('opens a tree of AWS CLI, with its head-object for every key', async () => {
      const aws = await awsCli(workspace, provider);
      const folder = await workspace.folder('by-aws');
      await aws.ok('s3', 'sync', `s3://${bucket}/aws/`, join(folder, 'stored'));
      const lines: string[] = [];
      for (const path of treeSizes.keys()) {
        const Key = `aws/${path}`;
        const { stdout } = await aws.ok('s3api', 'head-object', '--bucket', bucket, '--key', Key, '--output', 'json');
        const head: Record<string, unknown> = JSON.parse(stdout);
        lines.push(`${JSON.stringify({ ...head, Key })}\n`);
      }
      await writeFile(join(folder, 'manifest'), lines.join(''));
      const manifest = ['--prefix', 'aws/', '--metadata', join(folder, 'manifest')];
      const { metadataNotChecked } = await restoreTree(join(folder, 'stored'), ...manifest);
      assert.equal(metadataNotChecked, 0);
    });

    test('opens a tree of rclone, with its lsjson', async () => {
      const client = await rclone(workspace, { far: provider });
      const folder = await workspace.folder('by-rclone');
      // The MD5 that rclone keeps of an upload in parts is that of the plaintext.
      await client.ok('copy', '--ignore-checksum', `far:${bucket}/rclone`, join(folder, 'stored'));
      const { stdout } = await client.ok('lsjson', '--recursive', '--metadata', `far:${bucket}/rclone`);
      await writeFile(join(folder, 'manifest'), stdout);
      const manifest = ['--prefix', 'rclone/', '--metadata', join(folder, 'manifest')];
      const { metadataNotChecked } = await restoreTree(join(folder, 'stored'), ...manifest);
      // It does not show that MD5, which is metadata: the one upload in parts cannot be checked for it.
      assert.equal(metadataNotChecked, 1);
    });

    test('opens a file of get-object, whose answer is the metadata', async () => {
      const aws = await awsCli(workspace, provider);
      const folder = await workspace.folder('get-object');
      const key = 'aws/multipart-for-some.bin';
      const { stdout } = await aws.ok('s3api', 'get-object', '--bucket', bucket, '--key', key, join(folder, 'object'));
      await writeFile(join(folder, 'object.metadata.json'), stdout);
      await restoreFile(folder, key, 'multipart-for-some.bin');
    });

    test('opens a file of s3cmd, with its info', async () => {
      const client: CommandClient = await s3cmd(workspace, provider);
      const folder = await workspace.folder('by-s3cmd');
      await client.ok('get', `s3://${bucket}/s3cmd/other.bin`, join(folder, 'object'));
      const { stdout } = await client.ok('info', `s3://${bucket}/s3cmd/other.bin`);
      await writeFile(join(folder, 'object.metadata.json'), stdout);
      await restoreFile(folder, 's3cmd/other.bin', 'deep/er/other.bin');
    });

    async function restoreFile(folder: string, key: string, original: string): Promise<void> {
      const place = ['--bucket', bucket, '--key', key, '--keyring', keyring];
      const inspected = await s3eg('inspect', join(folder, 'object'), ...place, '--json');
      assert.equal(inspected.code, 0, `${inspected.stdout}${inspected.stderr}`);
      const [report]: { sealed?: { plaintextBytes: number } }[] = JSON.parse(inspected.stdout);
      assert.equal(report?.sealed?.plaintextBytes, treeSizes.get(original));
      await mkdir(join(folder, 'out'));
      const output = join(folder, 'out', 'plain');
      const { code, stdout, stderr } = await s3eg('decrypt', join(folder, 'object'), ...place, '--output', output);
      assert.equal(code, 0, `${stdout}${stderr}`);
      assert.equal(await fileDigest(output), await fileDigest(join(tree, original)));
    }
  });
}
