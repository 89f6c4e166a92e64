import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import type { ByteIterator, ByteStream } from '../../../src/base/byte-stream.ts';
import { handOver } from '../../../src/base/chunk-memory.ts';
import type { HttpResponse, HttpServerError } from '../../../src/http/exchange.ts';
import { needs } from '../../support/gaps.ts';
import { deferred, RawClient, startServer } from './raw-client.ts';

const get = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

async function* chunksOf(...chunks: string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

async function* failingAfter(...chunks: string[]): AsyncGenerator<Uint8Array> {
  yield* chunksOf(...chunks);
  throw new Error('authentication failed');
}

/** Sends one request to a handler that gives `response`; returns what came and what was reported. */
async function exchange(response: HttpResponse, request = get) {
  const errors: HttpServerError[] = [];
  await using server = await startServer({
    handler: () => Promise.resolve(response),
    onError: (error) => errors.push(error),
  });
  const client = await RawClient.connect(server);
  client.send(request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  const text = await client.closed();
  return { text, codes: errors.map(({ code }) => code) };
}

test('a stream with content-length is sent as it is', async () => {
  const { text, codes } = await exchange({
    status: 200,
    headers: { 'content-length': '6' },
    body: chunksOf('abc', 'def'),
  });
  assert.match(text, /^HTTP\/1\.1 200 OK\r\ncontent-length: 6\r\n/);
  assert.ok(text.endsWith('\r\n\r\nabcdef'));
  assert.deepEqual(codes, []);
});

test('a stream without content-length is sent chunked, and ended for HTTP/1.0', async () => {
  const chunked = await exchange({ status: 200, headers: {}, body: chunksOf('abc', '', 'def') });
  // How the bytes are cut into chunks is the server's affair.
  assert.match(chunked.text, /\r\n\r\n(6\r\nabcdef|3\r\nabc\r\n3\r\ndef)\r\n0\r\n\r\n$/);
  const old = await exchange({ status: 200, headers: {}, body: chunksOf('abc', 'def') }, 'GET / HTTP/1.0\r\n\r\n');
  assert.ok(old.text.endsWith('\r\n\r\nabcdef'));
});

test('an empty stream and no body are complete answers', async () => {
  const stream = await exchange({ status: 200, headers: { 'content-length': '0' }, body: chunksOf() });
  assert.match(stream.text, /^HTTP\/1\.1 200 OK\r\ncontent-length: 0\r\n[^]*\r\n\r\n$/);
  const none = await exchange({ status: 200, headers: {} });
  assert.match(none.text, /content-length: 0\r\n[^]*\r\n\r\n$/);
});

test('header values are sent as the bytes that they stand for, with a body and without', async () => {
  const bytes = Buffer.from('grüße 你好').toString('latin1');
  const headers = { 'x-amz-meta-a': bytes, 'content-disposition': bytes };
  for (const [response, request] of [
    [{ status: 200, headers: { ...headers, 'content-length': '3' } }, 'HEAD / HTTP/1.1\r\nHost: h\r\n\r\n'],
    [{ status: 304, headers }, get],
    [{ status: 200, headers: { ...headers, 'content-length': '0' }, body: chunksOf() }, get],
    [{ status: 200, headers: { ...headers, 'content-length': '3' }, body: chunksOf('abc') }, get],
    [{ status: 200, headers, body: 'abc' }, get],
    [{ status: 200, headers: { 'content-length': '3', ...headers }, body: 'abc' }, get],
  ] satisfies (readonly [HttpResponse, string])[]) {
    const { text } = await exchange(response, request);
    for (const name of Object.keys(headers)) {
      assert.ok(text.includes(`\r\n${name}: ${bytes}\r\n`), `${request.slice(0, 4)} ${JSON.stringify(text)}`);
    }
  }
});

for (const [name, status, request] of [
  ['HEAD', 200, 'HEAD / HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['304', 304, get],
  ['204', 204, get],
] as const) {
  test(`${name} sends no body and gives it back`, async () => {
    const returned = deferred<void>();
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('must not be read')),
        return: () => {
          returned.resolve();
          return Promise.resolve({ done: true as const, value: undefined });
        },
      }),
    };
    const { text, codes } = await exchange({ status, headers: { 'content-length': '6' }, body }, request);
    assert.ok(text.endsWith('\r\n\r\n'));
    assert.equal(/content-length: 6/.test(text), status !== 204);
    assert.doesNotMatch(text, /transfer-encoding/i);
    assert.deepEqual(codes, []);
    await returned.promise;
  });
}

const broken: readonly [
  name: string,
  headers: Record<string, string>,
  body: () => AsyncGenerator<Uint8Array>,
  code: string,
][] = [
  ['throws in the middle', { 'content-length': '6' }, () => failingAfter('abc'), 'body_failed'],
  ['throws after its last byte', { 'content-length': '6' }, () => failingAfter('abc', 'def'), 'body_failed'],
  ['throws when chunked', {}, () => failingAfter('abc'), 'body_failed'],
  ['throws at once', { 'content-length': '6' }, () => failingAfter(), 'body_failed'],
  ['is too short', { 'content-length': '6' }, () => chunksOf('abc'), 'body_length_mismatch'],
  ['is too long', { 'content-length': '6' }, () => chunksOf('abc', 'defg'), 'body_length_mismatch'],
  ['has a chunk too many', { 'content-length': '6' }, () => chunksOf('abc', 'def', 'g'), 'body_length_mismatch'],
];

for (const [name, headers, body, code] of broken) {
  test(`a body that ${name} breaks the connection`, async () => {
    const { text, codes } = await exchange({ status: 200, headers, body: body() });
    assert.deepEqual(codes, [code]);
    const start = text.indexOf('\r\n\r\n') + 4;
    const bytes = start < 4 ? '' : text.slice(start);
    if (headers['content-length'] === undefined) assert.ok(!bytes.includes('0\r\n\r\n'), 'ended cleanly');
    else assert.ok(bytes.length < 6, `the client got all ${bytes.length} bytes`);
  });
}

test('a body that throws resets an HTTP/1.0 connection, whose end would mean success', async () => {
  await using server = await startServer({
    handler: () => Promise.resolve({ status: 200, headers: {}, body: failingAfter('abc') }),
  });
  const client = await RawClient.connect(server);
  client.send('GET / HTTP/1.0\r\n\r\n');
  await client.closed();
  assert.match(String(client.error), /ECONNRESET/);
});

for (const [name, response] of [
  ['a header value with a line break', { status: 200, headers: { 'x-a': 'b\r\nc: d' }, body: 'x' }],
  ['a status that does not exist', { status: 7, headers: {}, body: 'x' }],
  ['a content-length that does not fit', { status: 200, headers: { 'content-length': '2' }, body: 'x' }],
  ['a content-length that is no number', { status: 200, headers: { 'content-length': 'x' }, body: chunksOf('x') }],
] as const) {
  test(`${name} is answered 500 and reported`, async () => {
    const { text, codes } = await exchange(response);
    assert.match(text, /^HTTP\/1\.1 500 [^]*<Code>InternalError<\/Code>/);
    assert.deepEqual(codes, ['response_refused']);
  });
}

test('a handler that fails is answered 500 and reported, without its message', async () => {
  const errors: HttpServerError[] = [];
  await using server = await startServer({
    handler: () => Promise.reject(new Error('inner detail')),
    onError: (error) => errors.push(error),
  });
  const client = await RawClient.connect(server);
  client.send(get);
  const [answer] = await client.answers(1);
  assert.match(answer?.head ?? '', /^HTTP\/1\.1 500 /);
  assert.doesNotMatch(client.text, /inner detail/);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['handler_failed'],
  );
});

test('a client that reads slowly holds the producer back, and is not cut off', async () => {
  const chunk = Buffer.alloc(64 * 1024, 7);
  const count = 1024;
  let produced = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for (; produced < count; produced += 1) yield chunk;
  }
  await using server = await startServer({
    handler: () =>
      Promise.resolve({ status: 200, headers: { 'content-length': String(chunk.length * count) }, body: body() }),
  });
  const client = await RawClient.connect(server);
  client.socket.pause();
  client.send(get);
  let before = -1;
  for (let same = 0; same < 50;) {
    await new Promise(setImmediate);
    same = produced === before && produced > 0 ? same + 1 : 0;
    before = produced;
  }
  assert.ok(produced < count / 2, `${produced} of ${count} chunks were produced without a reader`);
  client.socket.removeAllListeners('data');
  let got = 0;
  client.socket.on('data', (data: Buffer) => {
    got += data.length;
    if (got > chunk.length * count) client.socket.end();
  });
  client.socket.resume();
  await client.closed();
  assert.equal(produced, count);
});

test('a reader that stops for longer than the idle timeout loses the connection', async () => {
  const returned = deferred<void>();
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.alloc(64 * 1024);
    } finally {
      returned.resolve();
    }
  }
  await using server = await startServer({
    idleTimeoutMs: 60,
    handler: () => Promise.resolve({ status: 200, headers: {}, body: body() }),
  });
  const client = await RawClient.connect(server);
  client.socket.pause();
  client.send(get);
  await returned.promise;
});

test('a client that goes away returns the body to its producer, even one that is stuck', async () => {
  const returned = deferred<void>();
  const body = {
    [Symbol.asyncIterator]: () => {
      let first = true;
      return {
        next: (): Promise<IteratorResult<Uint8Array>> => {
          if (!first) return new Promise(() => {});
          first = false;
          return Promise.resolve({ done: false, value: Buffer.from('abc') });
        },
        return: () => {
          returned.resolve();
          return Promise.resolve({ done: true as const, value: undefined });
        },
      };
    },
  };
  await using server = await startServer({
    handler: () => Promise.resolve({ status: 200, headers: { 'content-length': '6' }, body }),
  });
  const client = await RawClient.connect(server);
  client.send(get);
  await client.until(({ text }) => text.endsWith('abc'));
  client.socket.destroy();
  await returned.promise;
});

test('keep-alive serves several requests on one connection', async () => {
  await using server = await startServer({
    handler: () => Promise.resolve({ status: 200, headers: { 'content-length': '3' }, body: chunksOf('abc') }),
  });
  const client = await RawClient.connect(server);
  for (let round = 1; round <= 3; round += 1) {
    client.send(get);
    assert.equal((await client.answers(round)).length, round);
  }
});

test('HTTP/1.0 closes by default', async () => {
  await using server = await startServer({ handler: () => Promise.resolve({ status: 200, headers: {}, body: 'x' }) });
  const closing = await RawClient.connect(server);
  closing.send('GET / HTTP/1.0\r\n\r\n');
  assert.match(await closing.closed(), /\r\n\r\nx$/);
});

test('HTTP/1.0 keeps the connection when asked', needs('oldKeepAlive'), async () => {
  await using server = await startServer({ handler: () => Promise.resolve({ status: 200, headers: {}, body: 'x' }) });
  const keeping = await RawClient.connect(server);
  for (let round = 1; round <= 2; round += 1) {
    keeping.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const answers = await keeping.answers(round);
    assert.match(answers[round - 1]?.head ?? '', /connection: keep-alive/i);
  }
});

test('chunks that were handed over are freed once they are sent, and not before', async () => {
  const chunks = Array.from({ length: 30 }, (_, index) => Buffer.alloc(100_000, 97 + (index % 26)));
  const expected = Buffer.concat(chunks).toString();
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield handOver(chunk);
  }
  const { text, codes } = await exchange({
    status: 200,
    headers: { 'content-length': String(expected.length) },
    body: body(),
  });
  assert.ok(text.endsWith(`\r\n\r\n${expected}`));
  assert.deepEqual(codes, []);
  assert.ok(chunks.every(({ length }) => length === 0));
});

/** A client on a thread of its own, which goes on while the event loop is busy: sets the flag when it got the text. */
const waitingClient = `
  const { connect } = require('node:net');
  const { workerData: { port, request, text, flag } } = require('node:worker_threads');
  const socket = connect(port, '127.0.0.1', () => socket.write(request));
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    if (!received.endsWith(text)) return;
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
`;

test('the first chunk is with the client before the next is made', needs('uncork'), async () => {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const waited = Promise.withResolvers<string>();
  let isMade = false;
  const body: ByteIterator & ByteStream = {
    [Symbol.asyncIterator]: () => body,
    next: () =>
      Promise.resolve(!isMade ? { done: false, value: Buffer.from('first') } : { done: true, value: undefined }),
    ready: () => {
      if (isMade) return undefined;
      // As a cipher would, holds up everything else.
      waited.resolve(Atomics.wait(flag, 0, 0, 5000));
      isMade = true;
      return Buffer.from('second');
    },
  };
  await using server = await startServer({
    handler: () => Promise.resolve({ status: 200, headers: { 'content-length': '11' }, body }),
  });
  const { port } = server.address();
  const client = new Worker(waitingClient, { eval: true, workerData: { port, request: get, text: 'first', flag } });
  const seen = await waited.promise;
  await client.terminate();
  assert.notEqual(seen, 'timed-out');
});
