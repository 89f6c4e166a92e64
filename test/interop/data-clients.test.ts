/** Readers and writers of Parquet: each compares by itself what it gets with the local files. */
import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { SeededNumbers } from './support/plaintext.ts';
import { runOk } from './support/processes.ts';
import { ownWorkspace } from './support/site.ts';
import { clientScripts, tools } from './support/tools.ts';
import { makeTree } from './support/trees.ts';

/** Five kinds, the table, and its copy under another name. */
const filesOfPyarrow = 7;
const all = [true, true, true, true, true];

for (const backend of ['embedded', 'minio'] as const) {
  describe(`data platforms, ${backend}`, () => {
    const workspace = ownWorkspace();
    let gateway: Gateway;
    let folder: string;

    /** Runs one client; what it printed. */
    async function client(name: string, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
      const seed = String(new SeededNumbers('table').between(0, 2 ** 40));
      const { stdout } = await runOk({
        program: tools.dataPython,
        args: [join(clientScripts, 'data_clients.py'), name, ...args],
        cwd: folder,
        env: { PATH: '/usr/bin:/bin', HOME: folder, AWS_EC2_METADATA_DISABLED: 'true', S3EG_TEST_SEED: seed },
      });
      return JSON.parse(stdout);
    }

    async function atGateway(name: string): Promise<Readonly<Record<string, unknown>>> {
      const { endpoint, accessKeyId, secretAccessKey } = gateway.access;
      return await client(name, endpoint, accessKeyId, secretAccessKey, folder);
    }

    /** Answers with 206, of which there are none unless a client reads ranges. */
    async function rangesRead(): Promise<number> {
      return await gateway.metric('s3eg_requests_total', { operation: 'GetObject', status: '206' });
    }

    before(async () => {
      gateway = await Gateway.start({ workspace, backend: await startBackend(backend, workspace) });
      folder = await workspace.folder('data');
      await cp(await makeTree(workspace), join(folder, 'tree'), { recursive: true });
      const { length } = await client('make', folder);
      assert.ok(Number(length) > 15_000_000, 'long enough for several parts');
    });

    test('pyarrow writes in parts, reads columns by ranges, lists, copies, moves and deletes', async () => {
      const { version: _version, ...seen } = await atGateway('pyarrow');
      assert.deepEqual(seen, {
        whole: true,
        ranges: all,
        chosen: true,
        parted: true,
        files: filesOfPyarrow,
        sizes: true,
        moved: true,
        left: ['pyarrow/table.parquet'],
      });
      assert.ok((await rangesRead()) >= 5);
    });

    test('s3fs puts, streams, reads ranges, copies, moves, lists, and syncs twice', async () => {
      const { version: _version, ...seen } = await atGateway('s3fs');
      assert.deepEqual(seen, {
        put: true,
        ranges: all,
        rows: true,
        moved: true,
        sizes: true,
        second_sync: 0,
        listed: true,
        synced: true,
        gone: true,
      });
    });

    test('DuckDB writes a table and reads a part of it by ranges, over s3fs', async () => {
      const before = await rangesRead();
      const { version: _version, ...seen } = await atGateway('duckdb');
      assert.deepEqual(seen, { chosen: true, equal_rows: true, size: true });
      assert.ok((await rangesRead()) > before);
    });
  });
}
