import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';

import { handOver, release } from '../../../../src/base/chunk-memory.ts';
import { FlowBudget } from '../../../../src/base/flow-budget.ts';
import { ReceiveBuffers } from '../../../../src/store/s3/receive-buffers.ts';
import { Transport } from '../../../../src/store/s3/transport.ts';
import { needs } from '../../../support/gaps.ts';

const lengthBytes = 24 * 1024 * 1024;

/** No two kibibytes of it are alike. */
function content(): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  for (let offset = 0; offset < lengthBytes; offset += 4) bytes.writeUInt32BE(offset, offset);
  return bytes;
}

/** Reads what `send` sends, releasing late, and compares it with `sent`. @returns Chunks that were handed on in their buffer. */
async function read(sent: Buffer, send: (socket: Socket) => void): Promise<number> {
  const server = createServer(send).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const socket = connect({ port: address.port, host: '127.0.0.1', onread: new ReceiveBuffers(new FlowBudget()) });
  const held: Uint8Array[] = [];
  let offset = 0;
  let views = 0;
  const check = (): void => {
    const chunk = held.shift();
    if (chunk === undefined) return;
    assert.equal(Buffer.compare(chunk, sent.subarray(offset, offset + chunk.length)), 0);
    offset += chunk.length;
    release(chunk);
  };
  socket.on('data', (chunk: Buffer) => {
    if (chunk.length < chunk.buffer.byteLength) views += 1;
    held.push(handOver(chunk));
    if (held.length > 3) check();
  });
  await once(socket, 'close');
  while (held.length > 0) check();
  server.close();
  assert.equal(offset, sent.length);
  return views;
}

describe('ReceiveBuffers', () => {
  it('never reads into a buffer whose bytes are in use, however late these are released', needs('onread'), async () => {
    const sent = content();
    const views = await read(sent, (socket) => socket.end(sent));
    assert.ok(views > 0, 'no read was handed on in its buffer');
  });

  it('nor where short reads come between long ones', needs('onread'), async () => {
    const sent = content();
    await read(sent, (socket) => {
      let offset = 0;
      const next = (): void => {
        // From a few bytes to most of a mebibyte, as they come: powers of two, and what is beside them.
        const length = 2 ** (4 + (offset % 17)) + (offset % 3);
        const piece = sent.subarray(offset, offset + length);
        offset += piece.length;
        if (piece.length === 0) socket.end();
        else socket.write(piece, () => setImmediate(next));
      };
      next();
    });
  });
});

/** How many of the chunks of each answer to `count` requests, made one after the other, came in a buffer of their own. */
async function viewsOfAnswers(count: number, body: Buffer): Promise<readonly number[]> {
  const server = createHttpServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const transport = new Transport({
    protocol: 'http:',
    maxConnections: 1,
    connectTimeoutMs: 5000,
    headersTimeoutMs: 5000,
    bodyTimeoutMs: 5000,
    budget: new FlowBudget(),
  });
  const authority = `127.0.0.1:${address.port}`;
  const views: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const answer = await transport.send({ method: 'GET', authority, path: '/', headers: { host: authority } });
    let inOwn = 0;
    let offset = 0;
    for await (const chunk of answer.body) {
      if (chunk.buffer.byteLength === 2 ** 20) inOwn += 1;
      assert.equal(Buffer.compare(chunk, body.subarray(offset, offset + chunk.length)), 0);
      offset += chunk.length;
      release(chunk);
    }
    assert.equal(offset, body.length);
    views.push(inOwn);
  }
  await transport.close();
  server.close();
  return views;
}

describe('the buffers of ReceiveBuffers', () => {
  it('come back from every answer, also from those whose head came with the body', needs('onread'), async () => {
    // More answers than there are buffers; those that were lost would come back only with the garbage.
    const views = await viewsOfAnswers(40, content().subarray(0, 400 * 1024));
    assert.ok(
      views.slice(-10).every((count) => count > 0),
      `chunks in buffers of their own, by answer: ${views.join(' ')}`,
    );
  });
});
