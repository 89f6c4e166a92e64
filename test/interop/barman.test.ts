/** Barman: archives of a database in parts that end anywhere, and its write-ahead log. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { writePlaintext } from './support/plaintext.ts';
import { run, runOk, type Command } from './support/processes.ts';
import { ownWorkspace } from './support/site.ts';
import { clientScripts, tools } from './support/tools.ts';
import { fileDigest, treeDigests } from './support/workspace.ts';

const walBytes = 16 * 1024 * 1024;
const wal = '00000001000000000000000';

for (const backend of ['embedded', 'minio'] as const) {
  describe(`barman, ${backend}`, () => {
    const workspace = ownWorkspace();
    let gateway: Gateway;
    let folder: string;

    before(async () => {
      gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
      folder = await workspace.folder('barman');
      await mkdir(join(folder, 'pgdata/base/1'), { recursive: true });
      for (const [name, lengthBytes] of Object.entries({ 1: 6_000_011, 2: 7_000_003, 3: 6_543_210, 4: 81_920 })) {
        await writePlaintext(join(folder, 'pgdata/base/1', name), `barman ${name}`, lengthBytes);
      }
      await writePlaintext(join(folder, `${wal}1`), 'wal', walBytes);
    });

    function command(program: string, ...args: readonly string[]): Command {
      const env = {
        PATH: '/usr/bin:/bin',
        HOME: folder,
        AWS_ACCESS_KEY_ID: gateway.access.accessKeyId,
        AWS_SECRET_ACCESS_KEY: gateway.access.secretAccessKey,
        AWS_DEFAULT_REGION: 'us-east-1',
      };
      return { program, args, cwd: folder, env };
    }

    test('uploads a backup as archives in parts, lists and downloads it, and restores every file', async () => {
      const script = join(clientScripts, 'barman_client.py');
      const { stdout } = await runOk(command(tools.dataPython, script, gateway.access.endpoint, folder));
      const { entries, ...seen }: { entries: readonly number[] } = JSON.parse(stdout);
      assert.deepEqual(seen, { archives: ['data.tar', 'data_0001.tar'], parts: [3, 2], left: [] });
      // Of the directories, the files and the label.
      assert.equal(
        entries.reduce((sum, count) => sum + count, 0),
        3 + 4 + 1,
      );
      const { backup_label: label, ...restored } = await treeDigests(join(folder, 'restored'));
      assert.deepEqual(restored, await treeDigests(join(folder, 'pgdata')));
      assert.notEqual(label, undefined);
      assert.equal(await readFile(join(folder, 'restored/backup_label'), 'utf8'), 'START WAL LOCATION');
    });

    test('archives a compressed piece of the write-ahead log, restores it, and says what is missing', async () => {
      // In the bucket of the backup.
      const place = ['--endpoint-url', gateway.access.endpoint, 's3://barman/path', 'pg'];
      const [source, back] = [join(folder, `${wal}1`), join(folder, 'back')];
      await runOk(command(tools.barmanArchive, '--gzip', ...place, source));
      await runOk(command(tools.barmanRestore, ...place, `${wal}1`, back));
      assert.equal(await fileDigest(back), await fileDigest(source));
      const { code, stderr } = await run(command(tools.barmanRestore, ...place, `${wal}2`, back));
      assert.equal(code, 1);
      assert.match(stderr, /does not exist/);
    });
  });
}
