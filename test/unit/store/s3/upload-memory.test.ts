import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { describe, it, type TestContext } from 'node:test';

import { handOver } from '../../../../src/base/chunk-memory.ts';
import { s3StoreAt, serverPort } from './scripted-backend.ts';

/** A store before a server that answers with `statuses` in turn; gives the digests of the bodies that arrived. */
async function recordingBackend(context: TestContext, statuses: readonly number[]) {
  const digests: string[] = [];
  const server = createServer((request, response) => {
    const hash = createHash('sha256');
    request.on('data', (bytes: Uint8Array) => hash.update(bytes));
    request.on('end', () => {
      const status = statuses[digests.length] ?? 500;
      digests.push(hash.digest('hex'));
      response.writeHead(status, { etag: '"e"', 'content-length': '0' }).end();
    });
  });
  const store = s3StoreAt(await serverPort(server));
  context.after(async () => {
    await store.close();
    server.close();
  });
  return { store, digests };
}

async function* given(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const chunk of chunks) yield handOver(chunk);
}

function upload(count: number, size: number) {
  const chunks = Array.from({ length: count }, () => Buffer.from(randomBytes(size).buffer, 0, size));
  const digest = createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
  return {
    chunks,
    digest,
    request: { bucket: 'bucket', key: 'k', headers: {}, body: given(chunks), lengthBytes: count * size },
  };
}

describe('memory of uploads', () => {
  it('is freed as soon as the connection has taken it', async (context) => {
    const { store, digests } = await recordingBackend(context, [200]);
    const { chunks, digest, request } = upload(40, 100_000);
    await store.putObject(request);
    assert.deepEqual(digests, [digest]);
    const left = chunks.map(({ length }) => length);
    // The first ones are kept for another attempt, until too much was taken for one.
    assert.deepEqual(
      left.slice(3),
      Array.from({ length: 37 }, () => 0),
      left.join(' '),
    );
  });

  for (const [what, count, size] of [
    ['in one piece', 1, 50_000],
    ['gathered', 3, 20_000],
    ['streamed', 6, 30_000],
    ['streamed as one chunk that is longer than what is kept otherwise', 1, 300_000],
  ] as const) {
    it(`is kept for another attempt: a body ${what}`, async (context) => {
      const { store, digests } = await recordingBackend(context, [503, 200]);
      const { digest, request } = upload(count, size);
      await store.putObject(request);
      assert.deepEqual(digests, [digest, digest]);
    });
  }
});
