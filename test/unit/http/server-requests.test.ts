import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HttpBodyError, type HttpRequest } from '../../../src/http/exchange.ts';
import { mixedReads } from '../../support/mixed-reads.ts';
import { deferred, RawClient, startServer } from './raw-client.ts';

async function readAll(request: HttpRequest): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of mixedReads(request.body)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const ok = { status: 200, headers: {}, body: 'ok' };

test('hands over target, headers and body as they were sent', async () => {
  const seen = deferred<HttpRequest & { text: string }>();
  await using server = await startServer({
    handler: async (request) => {
      const text = (await readAll(request)).toString();
      seen.resolve(Object.assign(Object.create(request), { text }));
      return ok;
    },
  });
  const client = await RawClient.connect(server);
  client.send(
    'PUT /b//..%2Fk/../x%20?uploads&a=%2b HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-A: one\r\nx-amz-meta-a: two\r\n' +
      'Constructor: c\r\nContent-Length: 5\r\n\r\nhello',
  );
  const [answer] = await client.answers(1);
  const request = await seen.promise;
  assert.equal(request.target, '/b//..%2Fk/../x%20?uploads&a=%2b');
  assert.equal(request.method, 'PUT');
  assert.equal(request.headers['x-amz-meta-a'], 'one,two');
  assert.equal(request.headers['constructor'], 'c');
  assert.equal(request.headers['toString'], undefined);
  assert.equal(request.text, 'hello');
  assert.equal(request.remoteAddress, '127.0.0.1');
  assert.equal(request.secure, false);
  assert.match(request.requestId, /^[0-9A-F]{16}$/);
  assert.match(answer?.head ?? '', new RegExp(`x-amz-request-id: ${request.requestId}`));
});

test('request ids differ', async () => {
  const ids = new Set<string>();
  await using server = await startServer({
    handler: (request) => {
      ids.add(request.requestId);
      return Promise.resolve(ok);
    },
  });
  const client = await RawClient.connect(server);
  for (let round = 0; round < 3; round += 1) client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  await client.answers(3);
  assert.equal(ids.size, 3);
});

test('a request without a body has a body that ends at once', async () => {
  await using server = await startServer({
    handler: async (request) => ({ status: 200, headers: {}, body: String((await readAll(request)).length) }),
  });
  const client = await RawClient.connect(server);
  client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\nPUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n');
  assert.deepEqual(
    (await client.answers(2)).map(({ body }) => body),
    ['0', '0'],
  );
});

test('100 Continue is sent when the body is pulled, not before', async () => {
  const reached = deferred<void>();
  const go = deferred<void>();
  await using server = await startServer({
    handler: async (request) => {
      reached.resolve();
      await go.promise;
      return { status: 200, headers: {}, body: await readAll(request) };
    },
  });
  const client = await RawClient.connect(server);
  client.send('PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n');
  await reached.promise;
  assert.equal(client.text, '');
  go.resolve();
  await client.until(({ text }) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
  client.send('abc');
  await client.until(({ text }) => text.endsWith('\r\n\r\nabc'));
});

test('an answer without a pull sends no 100 Continue and closes the connection', async () => {
  await using server = await startServer({ handler: () => Promise.resolve({ status: 403, headers: {}, body: 'no' }) });
  const client = await RawClient.connect(server);
  client.send('PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
  const [answer] = await client.answers(1);
  client.socket.end();
  assert.match(answer?.head ?? '', /^HTTP\/1\.1 403 Forbidden\r\n/);
  assert.match(answer?.head ?? '', /connection: close/i);
  assert.doesNotMatch(await client.closed(), /100 Continue/);
});

test('other expectations are refused with 417', async () => {
  await using server = await startServer({ handler: () => Promise.reject(new Error('must not be called')) });
  const client = await RawClient.connect(server);
  client.send('GET / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n');
  const [answer] = await client.answers(1);
  assert.match(answer?.head ?? '', /^HTTP\/1\.1 417 /);
});

test('pipelined requests are answered in order, one at a time', async () => {
  let running = 0;
  let most = 0;
  await using server = await startServer({
    handler: async (request) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      const body = await readAll(request);
      running -= 1;
      return { status: 200, headers: {}, body: `${request.target}:${body.toString()}` };
    },
  });
  const client = await RawClient.connect(server);
  client.send(
    'PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\naaGET /2 HTTP/1.1\r\nHost: h\r\n\r\n' +
      'PUT /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nccc\r\n0\r\n\r\n',
  );
  assert.deepEqual(
    (await client.answers(3)).map(({ body }) => body),
    ['/1:aa', '/2:', '/3:ccc'],
  );
  assert.equal(most, 1);
});

test('too many requests sent ahead break the connection', async () => {
  await using server = await startServer({
    handler: (request) =>
      new Promise((resolve) => request.signal.addEventListener('abort', () => resolve(ok), { once: true })),
  });
  const client = await RawClient.connect(server);
  client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(40));
  assert.equal(await client.closed(), '');
});

test('a small unread body is drained and the connection kept', async () => {
  await using server = await startServer({ handler: (request) => Promise.resolve({ ...ok, body: request.target }) });
  const client = await RawClient.connect(server);
  client.send('PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n');
  await client.answers(1);
  client.send(Buffer.alloc(100_000));
  client.send('GET /2 HTTP/1.1\r\nHost: h\r\n\r\n');
  const answers = await client.answers(2);
  assert.equal(answers[1]?.body, '/2');
  assert.doesNotMatch(answers[0]?.head ?? '', /connection: close/i);
});

for (const framing of ['Content-Length: 10000000', 'Transfer-Encoding: chunked']) {
  test(`an answer before a large unread body arrives and the connection is closed (${framing})`, async () => {
    await using server = await startServer({
      handler: () => Promise.resolve({ status: 403, headers: {}, body: 'no' }),
    });
    const client = await RawClient.connect(server);
    client.send(`PUT / HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n`);
    if (framing.startsWith('Content')) client.send(Buffer.alloc(1_000_000));
    const [answer] = await client.answers(1);
    assert.equal(answer?.body, 'no');
    assert.match(answer?.head ?? '', /connection: close/i);
    client.socket.end();
    await client.closed();
  });
}

test('a body that is read slowly is held by backpressure', async () => {
  const go = deferred<void>();
  const stopped = deferred<void>();
  await using server = await startServer({
    handler: async (request) => {
      const iterator = request.body[Symbol.asyncIterator]();
      let total = (await iterator.next()).value?.length ?? 0;
      stopped.resolve();
      await go.promise;
      for (;;) {
        const step = await iterator.next();
        if (step.done === true) return { ...ok, body: String(total) };
        total += step.value.length;
      }
    },
  });
  const client = await RawClient.connect(server);
  const bytes = 64 * 1024 * 1024;
  client.send(`PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n`);
  client.send(Buffer.alloc(bytes));
  await stopped.promise;
  // Let everything flow that wants to: what is left in the client's buffers shows that the server stopped reading.
  let before = -1;
  for (let same = 0; same < 20;) {
    await new Promise(setImmediate);
    same = client.socket.writableLength === before ? same + 1 : 0;
    before = client.socket.writableLength;
  }
  assert.ok(client.socket.writableLength > 0, 'the client could send everything');
  go.resolve();
  assert.equal((await client.answers(1))[0]?.body, String(bytes));
});

test('a client that goes away ends the body with an error and aborts the signal', async () => {
  const failed = deferred<unknown>();
  const aborted = deferred<void>();
  await using server = await startServer({
    handler: async (request) => {
      request.signal.addEventListener('abort', () => aborted.resolve());
      try {
        await readAll(request);
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
      return ok;
    },
  });
  const client = await RawClient.connect(server);
  client.send('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc');
  await new Promise(setImmediate);
  client.socket.destroy();
  const error = await failed.promise;
  assert.ok(error instanceof HttpBodyError);
  assert.equal(error.code, 'aborted');
  await aborted.promise;
});

test('a client that goes away while the handler works aborts the signal', async () => {
  const reached = deferred<AbortSignal>();
  await using server = await startServer({
    handler: async (request) => {
      reached.resolve(request.signal);
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      return ok;
    },
  });
  const client = await RawClient.connect(server);
  client.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  const signal = await reached.promise;
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
  client.socket.destroy();
  await aborted;
});

test('a client that stops sending gets RequestTimeout', async () => {
  await using server = await startServer({
    idleTimeoutMs: 60,
    handler: async (request) => ({ ...ok, body: await readAll(request) }),
  });
  const client = await RawClient.connect(server);
  client.send('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc');
  const [answer] = await client.answers(1);
  assert.match(answer?.head ?? '', /^HTTP\/1\.1 400 /);
  assert.match(answer?.body ?? '', /<Code>RequestTimeout<\/Code>/);
  assert.match(answer?.head ?? '', /connection: close/i);
});

test('a slow handler is no idle client', async () => {
  await using server = await startServer({
    idleTimeoutMs: 40,
    handler: async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { ...ok, body: await readAll(request) };
    },
  });
  const client = await RawClient.connect(server);
  client.send('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc');
  assert.equal((await client.answers(1))[0]?.body, 'abc');
});
