import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { it } from 'node:test';

import { s3StoreAt, serverPort } from './scripted-backend.ts';

const refusal =
  '<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters</Message></Error>';

async function* slowly(pieces: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let given = 0; given < pieces; given++) {
    await new Promise((resolve) => setImmediate(resolve));
    yield Buffer.alloc(65_536, given);
  }
}

it('what a bucket wants is learned from a refusal that comes before the body was read', async (context) => {
  const trailers: (string | string[] | undefined)[] = [];
  const server = createServer((request, response) => {
    const { 'x-amz-trailer': trailer } = request.headers;
    trailers.push(trailer);
    if (trailer === undefined) {
      // Nothing of the body is read, and the connection ends.
      response.writeHead(400, { connection: 'close' }).end(refusal);
      return;
    }
    request.resume().on('end', () => response.writeHead(200, { etag: '"e"' }).end());
  });
  const store = s3StoreAt(await serverPort(server));
  context.after(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });
  const put = async (): Promise<string> => {
    const request = { bucket: 'bucket', key: 'k', headers: {}, body: slowly(800), lengthBytes: 800 * 65_536 };
    return (await store.putObject(request)).etag;
  };
  // How much of the body is gone by then is a matter of luck: it is sent again, or asked for again.
  await put().catch((error: unknown) =>
    assert.equal(error instanceof Error && 'code' in error && error.code, 'SlowDown'),
  );
  assert.equal(await put(), '"e"');
  assert.equal(trailers[0], undefined);
  assert.ok(trailers.slice(1).every((trailer) => trailer === 'x-amz-checksum-crc32'));
});
