import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startMemoryServer } from '../../bench/memory-server-process.ts';

const mebibyte = 2 ** 20;
const server = await startMemoryServer({ keptBytes: 1.5 * mebibyte });
after(() => server.stop());

const address = `http://${server.host}:${server.port}/bucket`;
const put = async (key: string, body: string): Promise<number> =>
  (await fetch(`${address}/${key}`, { method: 'PUT', body, headers: { 'x-amz-meta-a': key } })).status;

describe('the server that keeps little', () => {
  it('keeps small objects with their metadata, and gives the parts that are asked for', async () => {
    assert.equal(await put('small', '0123456789'), 200);
    const whole = await fetch(`${address}/small`);
    assert.deepEqual(
      [whole.status, whole.headers.get('x-amz-meta-a'), await whole.text()],
      [200, 'small', '0123456789'],
    );
    for (const [range, part, contentRange] of [
      ['bytes=2-4', '234', 'bytes 2-4/10'],
      ['bytes=7-', '789', 'bytes 7-9/10'],
      ['bytes=-2', '89', 'bytes 8-9/10'],
      ['bytes=8-99', '89', 'bytes 8-9/10'],
    ] as const) {
      const answer = await fetch(`${address}/small`, { headers: { range } });
      assert.deepEqual(
        [answer.status, answer.headers.get('content-range'), await answer.text()],
        [206, contentRange, part],
      );
    }
  });

  it('keeps large ones as long as there is room, also anew in their place, and forgets the others', async () => {
    assert.equal(await put('first', 'a'.repeat(mebibyte)), 200);
    assert.equal(await put('second', 'b'.repeat(mebibyte)), 200);
    assert.equal(await put('first', 'c'.repeat(mebibyte)), 200);
    assert.equal(await (await fetch(`${address}/first`)).text(), 'c'.repeat(mebibyte));
    const forgotten = await fetch(`${address}/second`);
    assert.deepEqual([forgotten.status, (await forgotten.text()).includes('<Code>NoSuchKey</Code>')], [404, true]);
  });
});
