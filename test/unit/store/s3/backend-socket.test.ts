import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { S3Store } from '../../../../src/store/s3/s3-store.ts';

/** How the server sees a connection end on which a body was announced and then given up halfway. */
async function endOfBrokenPut(sentBytes: number): Promise<string> {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const server = createServer((socket) => {
    socket.on('data', () => {});
    socket.on('end', () => resolve('orderly end'));
    socket.on('error', ({ message }) => resolve(message));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  const store = new S3Store({
    endpoint: `http://127.0.0.1:${address.port}`,
    region: 'us-east-1',
    pathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxConnections: 1,
    connectTimeoutMs: 5000,
    headersTimeoutMs: 5000,
    bodyTimeoutMs: 5000,
    retries: 0,
  });
  const broken = new Error('the body broke');
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    yield Buffer.alloc(sentBytes);
    throw broken;
  }
  try {
    const put = store.putObject({ bucket: 'bucket', key: 'k', headers: {}, body: body(), lengthBytes: 2 * sentBytes });
    await assert.rejects(put, (error) => error === broken);
    return await ended;
  } finally {
    await store.close();
    server.close();
  }
}

test('a body that breaks off ends its connection in a reset, not in what could be the end of the object', async () => {
  assert.match(await endOfBrokenPut(400_000), /ECONNRESET/);
});
