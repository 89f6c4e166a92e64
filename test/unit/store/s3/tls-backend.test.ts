import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import { describe, it, type TestContext } from 'node:test';

import { generate } from 'selfsigned';

import { S3Store } from '../../../../src/store/s3/s3-store.ts';
import { serverPort } from './scripted-backend.ts';

const object = randomBytes(3_000_001);

/** An S3 server over TLS with one object; takes puts into `puts`. */
async function tlsBackend(context: TestContext) {
  const extensions = [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }];
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'backend' }], { extensions });
  const puts: Buffer[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    void request.toArray().then((chunks) => {
      if (request.method === 'PUT') puts.push(Buffer.concat(chunks));
      response.writeHead(200, { etag: '"e"', 'content-length': request.method === 'PUT' ? 0 : object.length });
      return response.end(request.method === 'PUT' ? '' : object);
    });
  });
  const port = await serverPort(server);
  context.after(() => server.close());
  const storeWith = (ca?: string): S3Store => {
    const store = new S3Store({
      endpoint: `https://127.0.0.1:${port}`,
      region: 'us-east-1',
      pathStyle: true,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxConnections: 2,
      connectTimeoutMs: 5000,
      headersTimeoutMs: 5000,
      bodyTimeoutMs: 5000,
      retries: 0,
      ...(ca === undefined ? {} : { ca }),
    });
    context.after(async () => await store.close());
    return store;
  };
  return { puts, storeWith, cert };
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < bytes.length; offset += 70_000) yield bytes.subarray(offset, offset + 70_000);
}

describe('a backend behind TLS', () => {
  it('gives and takes large bodies whole, several at once', async (context) => {
    const { puts, storeWith, cert } = await tlsBackend(context);
    const store = storeWith(cert);
    const put = { bucket: 'bucket', key: 'k', headers: {}, lengthBytes: object.length };
    const bodies = await Promise.all(
      [1, 2, 3].map(async () => {
        await store.putObject({ ...put, body: inPieces(object) });
        const { body } = await store.getObject({ bucket: 'bucket', key: 'k' });
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        return Buffer.concat(chunks);
      }),
    );
    assert.equal(puts.length, 3);
    for (const bytes of [...bodies, ...puts]) assert.ok(bytes.equals(object));
  });

  it('is refused where nobody vouches for its certificate', async (context) => {
    const { storeWith } = await tlsBackend(context);
    await assert.rejects(storeWith().headBucket('bucket'), { code: 'ServiceUnavailable' });
  });
});
