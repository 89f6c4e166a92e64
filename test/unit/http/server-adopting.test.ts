import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

import { generate } from 'selfsigned';

import { HttpServer, type HttpServerOptions } from '../../../src/http/server.ts';
import { needs } from '../../support/gaps.ts';
import { deferred, RawClient } from './raw-client.ts';

const get = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

/** A server that adopts what a listener beside it accepts. */
class Adopting implements AsyncDisposable {
  readonly server: HttpServer;
  readonly #listener: Server;
  readonly refused: Socket[] = [];

  private constructor(server: HttpServer, listener: Server) {
    this.server = server;
    this.#listener = listener;
    listener.on('connection', (socket: Socket) => {
      if (!server.adopt(socket)) this.refused.push(socket);
      // One that came from another process is not paused here.
      else socket.resume();
    });
  }

  static async start(options: Partial<HttpServerOptions> = {}): Promise<Adopting> {
    const server = HttpServer.adopting({
      handler: ({ target }) => Promise.resolve({ status: 200, headers: {}, body: target }),
      drainTimeoutMs: 10_000,
      ...options,
    });
    const listener = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new Adopting(server, listener);
  }

  address(): { readonly host: string; readonly port: number } {
    const address = this.#listener.address();
    assert.ok(isAddressInfo(address));
    return { host: address.address, port: address.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.refused) socket.destroy();
    this.#listener.close();
    await this.server.close();
  }
}

function isAddressInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

test('adopted connections are served, counted, and kept', async () => {
  await using adopting = await Adopting.start();
  const client = await RawClient.connect(adopting);
  for (const [index, target] of ['/one', '/two'].entries()) {
    client.send(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await client.until(({ text }) => text.endsWith(target));
    assert.equal(adopting.server.adoptedConnections, 1, `after ${index + 1}`);
  }
  client.socket.destroy();
  while (adopting.server.adoptedConnections > 0) await sleep(5);
});

test('TLS is spoken on adopted connections', needs('adoptedTls'), async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
  await using adopting = await Adopting.start({ tls: { cert, key } });
  const socket = connectTls({ ...adopting.address(), rejectUnauthorized: false });
  socket.end(get);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.match(text, /^HTTP\/1\.1 200 /);
});

test('a drain ends connections in their TLS handshake with the deadline', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
  await using adopting = await Adopting.start({ tls: { cert, key }, drainTimeoutMs: 50 });
  const silent = await RawClient.connect(adopting);
  while (adopting.server.adoptedConnections === 0) await sleep(5);
  await adopting.server.close();
  await silent.closed();
});

test('one beyond the most is closed, and none is taken while draining', async () => {
  await using adopting = await Adopting.start({ maxConnections: 1 });
  const first = await RawClient.connect(adopting);
  first.send(get);
  await first.answers(1);
  const second = await RawClient.connect(adopting);
  await second.closed();
  assert.equal(adopting.refused.length, 0);
  const closing = adopting.server.close();
  await RawClient.connect(adopting);
  while (adopting.refused.length === 0) await sleep(5);
  assert.equal(adopting.refused[0]?.destroyed, false);
  await closing;
});

test(
  'a head that does not come in time is answered 408, as on connections of its own',
  needs('adoptedHeads'),
  async () => {
    await using adopting = await Adopting.start({ headersTimeoutMs: 100 });
    const client = await RawClient.connect(adopting);
    client.send('GET / HTTP/1.1\r\nHost:');
    assert.match(await client.closed(), /^HTTP\/1\.1 4\d\d .*RequestTimeout/s);
  },
);

for (const [what, skipped, start] of [
  ['adopted connections', {}, (options: Partial<HttpServerOptions>) => Adopting.start(options)],
  [
    'connections of its own',
    needs('ownGrace'),
    async (options: Partial<HttpServerOptions>) => {
      const handler = options.handler ?? (() => Promise.resolve({ status: 200, headers: {} }));
      const server = await HttpServer.start({
        host: '127.0.0.1',
        port: 0,
        drainTimeoutMs: 10_000,
        ...options,
        handler,
      });
      return { server, address: () => server.address(), [Symbol.asyncDispose]: () => server.close() };
    },
  ],
] as const) {
  test(
    `a drain with a grace answers once more on idle ${what}, then closes those that stay idle`,
    skipped,
    async () => {
      const go = deferred<void>();
      await using site = await start({
        handler: async ({ target }) => {
          if (target === '/slow') await go.promise;
          return { status: 200, headers: {}, body: target };
        },
      });
      const clients = await Promise.all(['/a', '/b'].map(() => RawClient.connect(site)));
      const [asks, silent] = clients;
      assert.ok(asks !== undefined && silent !== undefined);
      for (const client of clients) client.send(get);
      for (const client of clients) await client.answers(1);
      const slow = await RawClient.connect(site);
      slow.send('GET /slow HTTP/1.1\r\nHost: h\r\n\r\n');
      await sleep(20);
      const startedMs = performance.now();
      const closing = site.server.close({ idleGraceMs: 300 });
      await sleep(50);
      asks.send('GET /again HTTP/1.1\r\nHost: h\r\n\r\n');
      const text = await asks.closed();
      assert.ok(text.endsWith('/again'), text);
      assert.match(text, /connection: close/i);
      assert.equal(silent.ended, false);
      await silent.closed();
      assert.ok(performance.now() - startedMs >= 295, 'not before the grace was over');
      go.resolve();
      assert.ok((await slow.closed()).endsWith('/slow'));
      await closing;
    },
  );
}
