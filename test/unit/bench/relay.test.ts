import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, describe, it } from 'node:test';

import { startRelay } from '../../bench/relay-process.ts';

const received: Buffer[] = [];
const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('end', () => socket.end(Buffer.concat(received)));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const relay = await startRelay({ host: '127.0.0.1', port: portOf(), delayMs: 20, bytesPerSecond: 1e8 });
after(async () => {
  await relay.stop();
  server.close();
});

function portOf(): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function send(socket: Socket, ...pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    // Longer than a piece takes to be read alone.
    await sleep(30);
  }
}

describe('the relay of the benchmark', () => {
  it('passes every byte both ways, late, and counts heads that come in pieces', async () => {
    const socket = connect(relay.port, relay.host);
    const answer = text(socket);
    const heads = [
      'GET /1 HTTP/1.1\r',
      '\n\r',
      '\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n',
      'GET /4 HTTP/1.1\r\n',
    ];
    await send(socket, ...heads);
    const sentMs = performance.now();
    socket.end();
    assert.equal(await answer, heads.join(''));
    assert.ok(performance.now() - sentMs >= 35, 'a round trip takes at least twice the delay of 20 ms');
    assert.equal(await relay.requests(), 3);
  });

  it('keeps the order of what goes through at a rate, and the rate', async () => {
    received.length = 0;
    const socket = connect(relay.port, relay.host);
    const answer = buffer(socket);
    // 8 MB there and back at 100 MB/s.
    const sent = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(8e6));
    const startMs = performance.now();
    socket.end(sent);
    assert.ok((await answer).equals(sent));
    assert.ok(performance.now() - startMs >= 150, 'faster than the line');
  });
});
