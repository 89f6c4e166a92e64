import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startBareRelay } from '../../bench/bare-relay-process.ts';
import { startMemoryServer } from '../../bench/memory-server-process.ts';

const mebibyte = 2 ** 20;
const server = await startMemoryServer({ keptBytes: 8 * mebibyte });
const relay = await startBareRelay(server);
after(async () => {
  await relay.stop();
  await server.stop();
});

const through = `http://${relay.host}:${relay.port}/bucket`;
const direct = `http://${server.host}:${server.port}/bucket`;

async function bytesOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<[number, Buffer]> {
  const answer = await fetch(url, { headers });
  return [answer.status, Buffer.from(await answer.arrayBuffer())];
}

describe('the bare relay of the benchmark', () => {
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
