import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';

import { loadSettings } from '../../../src/config/load.ts';
import { LocalKeyring } from '../../../src/keys/local/local-keyring.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { CanaryGuard } from '../../../src/operations/canary-guard.ts';
import { startGateway } from '../../../src/wire/gateway.ts';
import { openStores } from '../../../src/wire/stores.ts';

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

test('a start that fails late leaves nothing open', async (context) => {
  const cwd = await mkdtemp(join(tmpdir(), 's3eg-wire-'));
  const taken = await listening(0);
  context.after(async () => {
    taken.close();
    await rm(cwd, { recursive: true });
  });
  const free = await listening(0);
  const s3Port = portOf(free);
  free.close();
  await once(free, 'close');
  const env = { S3EG_LISTEN_PORT: String(s3Port), S3EG_ADMIN_PORT: String(portOf(taken)) };
  const { settings } = await loadSettings({ env, cwd, firstStart: true });
  await assert.rejects(startGateway(settings), { code: 'EADDRINUSE' });
  // The listener for S3 was open already; its port is free again. What else were left would keep this test's process.
  const again = await listening(s3Port);
  again.close();
  await once(again, 'close');
});

test('a bucket that is deleted during a start does not end the start', async (context) => {
  const cwd = await mkdtemp(join(tmpdir(), 's3eg-wire-'));
  context.after(() => rm(cwd, { recursive: true }));
  const listBuckets = context.mock.method(FilesystemStore.prototype, 'listBuckets', async () => [
    { name: 'deleted-since-then', creationDate: new Date(0).toISOString() },
  ]);
  const env = { S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0' };
  const { settings } = await loadSettings({ env, cwd, firstStart: true });
  const gateway = await startGateway(settings);
  await gateway.close();
  assert.equal(listBuckets.mock.callCount(), 1);
});

test('a backend lists its buckets once at a start, for all policies that keep buckets there', async (context) => {
  const cwd = await mkdtemp(join(tmpdir(), 's3eg-wire-'));
  context.after(() => rm(cwd, { recursive: true }));
  await (await LocalKeyring.open({ name: 'first', file: join(cwd, 'first.json'), create: true })).close();
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    credentials: [{ accessKeyId: 'USER', secretAccessKey: 'a-secret-for-tests', allow: [{ actions: ['read'] }] }],
    keys: { first: { type: 'local', file: 'first.json' } },
    backends: { disk: { type: 'filesystem', root: 'disk' } },
    policies: ['a', 'b'].map((name) => ({
      name,
      match: { buckets: [`${name}-*`] },
      backend: 'disk',
      encryption: { mode: 'required', key: 'first' },
    })),
  };
  await writeFile(join(cwd, 'config.json'), JSON.stringify(config));
  const buckets = ['a-1', 'b-1', 'a-2', 'c-1'].map((name) => ({ name, creationDate: new Date(0).toISOString() }));
  const listBuckets = context.mock.method(FilesystemStore.prototype, 'listBuckets', async () => buckets);
  const check = context.mock.method(CanaryGuard.prototype, 'check', async () => {});
  const { settings } = await loadSettings({ file: 'config.json', env: {}, cwd });
  await (await startGateway(settings)).close();
  assert.equal(listBuckets.mock.callCount(), 1);
  const checked = check.mock.calls.map(({ arguments: [target] }) => target?.bucket);
  assert.deepEqual(checked, ['a-1', 'a-2', 'b-1']);
});

describe('where a second key or backend does not open, the first is closed:', () => {
  const base = {
    credentials: [{ accessKeyId: 'USER', secretAccessKey: 'a-secret-for-tests', allow: [{ actions: ['read'] }] }],
    keys: { first: { type: 'local', file: 'first.json' } },
    backends: { first: { type: 'filesystem', root: 'first' } },
    policies: [{ name: 'all', match: {}, backend: 'first', encryption: { mode: 'required', key: 'first' } }],
  };
  const withKey = { ...base, keys: { ...base.keys, second: { type: 'local', file: 'damaged' } } };
  const withBackend = { ...base, backends: { ...base.backends, second: { type: 'filesystem', root: 'damaged' } } };

  for (const [what, open] of [
    ['a start', startGateway],
    ['a command', openStores],
  ] as const) {
    it(what, async (context) => {
      const cwd = await mkdtemp(join(tmpdir(), 's3eg-wire-'));
      context.after(() => rm(cwd, { recursive: true }));
      await writeFile(join(cwd, 'damaged'), 'neither a keyring nor a folder');
      await (await LocalKeyring.open({ name: 'first', file: join(cwd, 'first.json'), create: true })).close();
      const closedKeys = context.mock.method(LocalKeyring.prototype, 'close').mock;
      const closedStores = context.mock.method(FilesystemStore.prototype, 'close').mock;
      const fails = async (config: object): Promise<void> => {
        await writeFile(join(cwd, 'config.json'), JSON.stringify(config));
        const { settings } = await loadSettings({ file: 'config.json', env: {}, cwd });
        await assert.rejects(open(settings));
      };
      await fails(withKey);
      assert.deepEqual([closedKeys.callCount(), closedStores.callCount()], [1, 0]);
      await fails(withBackend);
      assert.deepEqual([closedKeys.callCount(), closedStores.callCount()], [2, 1]);
    });
  }
});
