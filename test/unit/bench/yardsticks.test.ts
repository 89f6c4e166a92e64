import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startMemoryServer } from '../../bench/memory-server-process.ts';
import { startYardstick, yardstickNames } from '../../bench/yardstick-process.ts';

const mebibyte = 2 ** 20;
const server = await startMemoryServer({ keptBytes: 8 * mebibyte });
after(async () => await server.stop());

const direct = `http://${server.host}:${server.port}/bucket`;

async function bytesOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<[number, Buffer]> {
  const answer = await fetch(url, { headers });
  return [answer.status, Buffer.from(await answer.arrayBuffer())];
}

for (const name of yardstickNames)
  describe(`the ${name} of the benchmark`, async () => {
    const relay = await startYardstick(name, server);
    after(async () => await relay.stop());
    const through = `http://${relay.host}:${relay.port}/bucket`;

    it('connects anew where the server has closed its connection', async () => {
      let connections = 0;
      const answering = createServer((socket) => {
        connections += 1;
        // One that a client gave up is no fault.
        socket.on('error', () => {});
        socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n'));
      }).listen(0, '127.0.0.1');
      await once(answering, 'listening');
      const address = answering.address();
      assert.ok(address !== null && typeof address === 'object');
      const other = await startYardstick(name, { ...server, port: address.port });
      for (let count = 1; count <= 3; count += 1) {
        assert.equal((await fetch(`http://${other.host}:${other.port}/`)).status, 204);
        assert.equal(connections, count);
        // The end of the connection may come a moment after the answer.
        await sleep(50);
      }
      await other.stop();
      answering.close();
    });

    it('passes bodies on as they came, and gives ciphertext of their length', async () => {
      const body = Buffer.alloc(3 * mebibyte + 7, 'some content ');
      assert.equal((await fetch(`${through}/large`, { method: 'PUT', body })).status, 200);
      assert.ok((await bytesOf(`${direct}/large`))[1].equals(body));
      const [status, answer] = await bytesOf(`${through}/large`);
      assert.deepEqual([status, answer.length], [200, body.length]);
      for (let start = 0; start + 64 < body.length; start += 64 * 1024) {
        assert.ok(!answer.subarray(start, start + 64).equals(body.subarray(start, start + 64)), `plain at ${start}`);
      }
    });

    it('passes ranges, errors and many requests at once on', async () => {
      await fetch(`${through}/small`, { method: 'PUT', body: '0123456789' });
      const [status, part] = await bytesOf(`${through}/small`, { range: 'bytes=2-4' });
      assert.deepEqual([status, part.length], [206, 3]);
      assert.equal((await fetch(`${through}/missing`)).status, 404);
      const answers = await Promise.all(Array.from({ length: 20 }, () => bytesOf(`${through}/small`)));
      assert.deepEqual(new Set(answers.map(([code, bytes]) => `${code} ${bytes.length}`)), new Set(['200 10']));
    });
  });
