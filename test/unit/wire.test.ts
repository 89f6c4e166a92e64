import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { loadSettings } from '../../src/config/load.ts';
import { startGateway } from '../../src/wire.ts';

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
  await assert.rejects(startGateway(settings), /EADDRINUSE/);
  // The listener for S3 was open already; its port is free again. What else were left would keep this test's process.
  const again = await listening(s3Port);
  again.close();
  await once(again, 'close');
});
