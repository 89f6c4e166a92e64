import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls';

import { generate } from 'selfsigned';

import { isBun } from '../../../src/base/runtime.ts';
import type { HttpResponse } from '../../../src/http/exchange.ts';
import { HttpServer } from '../../../src/http/server.ts';
import { needs } from '../../support/gaps.ts';
import { deferred, RawClient, startServer } from './raw-client.ts';

const get = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

test('drain lets running requests end, closes idle connections and accepts nothing new', async () => {
  const reached = deferred<void>();
  const go = deferred<HttpResponse>();
  await using server = await startServer({
    drainTimeoutMs: 10_000,
    handler: async (request) => {
      if (request.target === '/quick') return { status: 200, headers: {}, body: 'quick' };
      reached.resolve();
      return go.promise;
    },
  });
  const { port } = server.address();
  const idle = await RawClient.connect(server);
  idle.send('GET /quick HTTP/1.1\r\nHost: h\r\n\r\n');
  await idle.answers(1);
  const busy = await RawClient.connect(server);
  busy.send(get);
  await reached.promise;
  const closing = server.close();
  await idle.closed();
  assert.equal(busy.ended, false);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
  go.resolve({ status: 200, headers: {}, body: 'done' });
  const text = await busy.closed();
  assert.match(text, /connection: close/i);
  assert.ok(text.endsWith('done'));
  await closing;
});

test('drain closes connections that never sent a byte, before running requests end', needs('untouched'), async () => {
  const reached = deferred<void>();
  const go = deferred<HttpResponse>();
  await using server = await startServer({
    drainTimeoutMs: 10_000,
    handler: () => {
      reached.resolve();
      return go.promise;
    },
  });
  const fresh = await RawClient.connect(server);
  const busy = await RawClient.connect(server);
  busy.send(get);
  await reached.promise;
  const closing = server.close();
  await fresh.closed();
  assert.equal(busy.ended, false);
  go.resolve({ status: 200, headers: {} });
  await closing;
});

test('drain ends a connection whose answer had already begun as keep-alive', async () => {
  const go = deferred<void>();
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('abc');
    await go.promise;
    yield Buffer.from('def');
  }
  await using server = await startServer({
    drainTimeoutMs: 10_000,
    handler: () => Promise.resolve({ status: 200, headers: { 'content-length': '6' }, body: body() }),
  });
  const client = await RawClient.connect(server);
  client.send(get);
  await client.until(({ text }) => text.endsWith('abc'));
  const closing = server.close();
  go.resolve();
  assert.ok((await client.closed()).endsWith('abcdef'));
  await closing;
});

test('the end of a drain waits for what handlers of aborted requests still do', async () => {
  const done: string[] = [];
  await using server = await startServer({
    drainTimeoutMs: 30,
    abortGraceMs: 60_000,
    handler: async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      done.push('cleaned up');
      return { status: 200, headers: {} };
    },
  });
  const client = await RawClient.connect(server);
  client.send(get);
  // Aborted by its client before the drain, and by the drain: both are waited for.
  const gone = await RawClient.connect(server);
  gone.send(get);
  await new Promise((resolve) => setTimeout(resolve, 20));
  gone.socket.destroy();
  await server.close();
  assert.deepEqual(done, ['cleaned up', 'cleaned up']);
});

test('after the drain deadline running requests are aborted', async () => {
  const aborted = deferred<void>();
  const reached = deferred<void>();
  await using server = await startServer({
    drainTimeoutMs: 30,
    handler: (request) => {
      request.signal.addEventListener('abort', () => aborted.resolve());
      reached.resolve();
      return new Promise(() => {});
    },
  });
  const client = await RawClient.connect(server);
  client.send(get);
  await reached.promise;
  await server.close();
  await aborted.promise;
  assert.equal(await client.closed(), '');
});

test('a port that is taken is an error of start', async () => {
  await using server = await startServer({ handler: () => Promise.resolve({ status: 200, headers: {} }) });
  const again = HttpServer.start({
    ...server.address(),
    drainTimeoutMs: 1,
    handler: () => Promise.reject(new Error()),
  });
  await assert.rejects(again, { code: 'EADDRINUSE' });
});

async function makeCertificate() {
  return generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
}

async function overTls(server: HttpServer, options: ConnectionOptions): Promise<RawClient> {
  const socket = tlsConnect({ ...server.address(), servername: 'localhost', ...options });
  const client = new RawClient(socket);
  await Promise.race([new Promise((resolve) => socket.once('secureConnect', resolve)), client.closed()]);
  return client;
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('abc');
  throw new Error('failed');
}

test('TLS: answers, says that it is secure, drains, and breaks on a failed body', async () => {
  const { cert, private: key } = await makeCertificate();
  await using server = await startServer({
    drainTimeoutMs: 1000,
    tls: { cert, key },
    handler: (request) =>
      Promise.resolve(
        request.target === '/fail'
          ? { status: 200, headers: { 'content-length': '6' }, body: failing() }
          : { status: 200, headers: {}, body: `secure ${request.secure} from ${request.remoteAddress}` },
      ),
  });
  const client = await overTls(server, { ca: cert, checkServerIdentity: () => undefined });
  client.send(get);
  assert.equal((await client.answers(1))[0]?.body, 'secure true from 127.0.0.1');
  const failed = await overTls(server, { ca: cert, checkServerIdentity: () => undefined });
  failed.send('GET /fail HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.ok((await failed.closed()).length < 200);
  const plain = await RawClient.connect(server);
  plain.send(get);
  assert.doesNotMatch(await plain.closed(), /200 OK/);
  const old = await overTls(server, {
    ca: cert,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1.1',
    // OpenSSL offers it at this level only; BoringSSL knows no levels, and offers it as it is.
    ...(isBun ? {} : { ciphers: 'ALL:@SECLEVEL=0' }),
  });
  assert.match(old.error?.message ?? '', /protocol.version/i);
  await Promise.all([server.close(), client.closed()]);
});

test('TLS: a client CA turns away clients without its certificate', async () => {
  const { cert, private: key } = await makeCertificate();
  const other = await makeCertificate();
  await using server = await startServer({
    tls: { cert, key, clientCa: cert },
    handler: () => Promise.resolve({ status: 200, headers: {}, body: 'in' }),
  });
  const trusted = await overTls(server, { ca: cert, cert, key, checkServerIdentity: () => undefined });
  trusted.send(get);
  assert.equal((await trusted.answers(1))[0]?.body, 'in');
  for (const credentials of [{}, { cert: other.cert, key: other.private }]) {
    const client = await overTls(server, { ca: cert, checkServerIdentity: () => undefined, ...credentials });
    client.send(get);
    assert.equal(await client.closed(), '');
  }
});
