import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HttpBodyError } from '../../../src/http/exchange.ts';
import { deferred, RawClient, startServer } from './raw-client.ts';

const unreachable = (): Promise<never> => Promise.reject(new Error('must not be called'));
const head = 'GET / HTTP/1.1\r\nHost: h\r\n';

const refused: readonly [name: string, request: string, status: number][] = [
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['bad header name', `${head}a b: c\r\n\r\n`, 400],
  ['bare control character in a value', `${head}a: b\u0001c\r\n\r\n`, 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two hosts', `${head}host: other\r\n\r\n`, 400],
  ['two lengths', `${head}content-length: 1\r\ncontent-length: 2\r\n\r\n`, 400],
  ['length and chunked', `${head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
  ['header section too large', `${head}a: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ['target too large', `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 431],
  ['too many headers', `${head}${'a: b\r\n'.repeat(300)}\r\n`, 431],
];

for (const [name, request, status] of refused) {
  test(`refused before the handler: ${name}`, async () => {
    await using server = await startServer({ handler: unreachable });
    const client = await RawClient.connect(server);
    client.send(request);
    await client.until(({ text }) => text.includes('\r\n\r\n'));
    client.socket.end();
    assert.match(await client.closed(), new RegExp(`^HTTP/1\\.1 ${status} `));
  });
}

test('a head that does not come is answered RequestTimeout', async () => {
  await using server = await startServer({ handler: unreachable, idleTimeoutMs: 50 });
  const client = await RawClient.connect(server);
  client.send('GET / HTTP/1.1\r\n');
  assert.equal(await client.closed(), '');
});

test('broken chunked framing ends the body with an error, and the client is told', async () => {
  const failed = deferred<unknown>();
  await using server = await startServer({
    handler: async (request) => {
      try {
        for await (const _ of request.body);
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
      return { status: 200, headers: {} };
    },
  });
  const client = await RawClient.connect(server);
  client.send('PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n');
  assert.match(await client.closed(), /^HTTP\/1\.1 400 /);
  const error = await failed.promise;
  assert.ok(error instanceof HttpBodyError);
  assert.equal(error.code, 'malformed');
});

test('garbage behind a request does not spoil its answer', async () => {
  const go = deferred<void>();
  await using server = await startServer({
    handler: async () => {
      await go.promise;
      return { status: 200, headers: {}, body: 'fine' };
    },
  });
  const client = await RawClient.connect(server);
  client.send(`${head}\r\n\u0001garbage\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  go.resolve();
  const text = await client.closed();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.ok(text.endsWith('\r\n\r\nfine'));
});
