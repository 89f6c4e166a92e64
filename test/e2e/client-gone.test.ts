import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { S3Client, targetOf } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { presign, signHeaders } from './support/signing.ts';

/** Far below the time that the gateway gives a backend to answer. */
const patienceMs = 20_000;
const noBuckets = '<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets/></ListAllMyBucketsResult>';

/** A backend that knows no bucket and never answers requests for objects. */
const asked: IncomingMessage[] = [];
const backend = createServer((request, response) => {
  if (request.url?.startsWith('/?') === true || request.url === '/') response.end(noBuckets);
  else asked.push(request);
});

describe('a request whose client goes away', () => {
  let gateway: Gateway | undefined;

  before(async () => {
    backend.listen(0, '127.0.0.1');
    await once(backend, 'listening');
    const address = backend.address();
    assert.ok(typeof address === 'object' && address !== null);
    const credentials = { accessKeyId: 'backend', secretAccessKey: 'backend-secret' };
    const endpoint = `http://127.0.0.1:${address.port}`;
    gateway = await Gateway.start({
      config: {
        backends: { main: { type: 's3', endpoint, credentials, retries: 0 } },
        policies: [{ name: 'plain', encryption: { mode: 'off' } }],
      },
    });
  });

  after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    backend.closeAllConnections();
    backend.close();
  });

  /** Sends a head, leaves when the backend has the request, and waits for the gateway to leave too. */
  async function leave(head: Buffer): Promise<void> {
    assert.ok(gateway !== undefined);
    const before = asked.length;
    using connection = await RawConnection.open(gateway.s3);
    connection.write(head);
    for (const deadline = Date.now() + patienceMs; asked.length === before;) {
      assert.ok(Date.now() < deadline, 'the backend was not asked');
      await sleep(10);
    }
    const request = asked[before];
    assert.ok(request !== undefined && !request.destroyed);
    const over = new Promise((resolve) => {
      request.socket.once('close', () => resolve(true));
      // A reset, where the gateway breaks off.
      request.once('error', () => {});
    });
    connection.socket.destroy();
    assert.ok(
      await Promise.race([over, sleep(patienceMs, false, { ref: false })]),
      'the gateway still waits for the backend',
    );
  }

  it('leaves the backend too, signed in the header', async () => {
    assert.ok(gateway !== undefined);
    using s3 = new S3Client(gateway);
    const request = { method: 'GET', bucket: 'bucket', key: 'key' };
    const headers = await signHeaders(s3.toSign(request), { credentials: s3.credentials });
    await leave(requestHead('GET', targetOf(request), headers));
  });

  it('and signed in the query', async () => {
    assert.ok(gateway !== undefined);
    using s3 = new S3Client(gateway);
    const toSign = { method: 'GET', path: '/bucket/key', query: {}, headers: { host: s3.host } };
    const target = await presign(toSign, { credentials: s3.credentials, expiresSeconds: 60 });
    await leave(requestHead('GET', target, { host: s3.host }));
  });
});
