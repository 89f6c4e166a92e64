import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { seededBytes } from './support/bytes.ts';
import { targetOf } from './support/client.ts';
import { scrape, valueOf } from './support/metrics.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { signHeaders } from './support/signing.ts';
import { suiteWithGateway } from './support/suite.ts';

const mebibyte = 1024 * 1024;
const patienceMs = 60_000;

describe('crypto.threads: 2', () => {
  const suite = suiteWithGateway(['bucket'], { config: { crypto: { threads: 2 } } });
  const body = seededBytes('large', 40 * mebibyte + 12_345);

  const segments = async (path: 'pool' | 'inline'): Promise<number> =>
    valueOf(await scrape(suite.gateway), 's3eg_crypto_segments_total', { path });

  /** Threads take some time to start: the first large bodies may do without them. */
  async function untilPooled(transfer: () => Promise<void>): Promise<void> {
    const before = await segments('pool');
    for (const deadline = Date.now() + patienceMs; (await segments('pool')) === before;) {
      assert.ok(Date.now() < deadline, 'no segment went to a thread');
      await transfer();
    }
  }

  it('encrypts and decrypts a large object, and ranges of it', async () => {
    const { s3 } = suite;
    await untilPooled(async () => assert.equal((await s3.put('bucket', 'large', body)).status, 200));
    await untilPooled(async () => assert.ok((await s3.get('bucket', 'large')).body.equals(body)));
    const first = 3 * mebibyte + 77;
    const last = 30 * mebibyte + 5;
    const ranged = await s3.get('bucket', 'large', { range: `bytes=${first}-${last}` });
    assert.equal(ranged.status, 206);
    assert.ok(ranged.body.equals(body.subarray(first, last + 1)));
  });

  it('encrypts and decrypts an upload in parts', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'parts');
    const border = 21 * mebibyte + 1;
    const parts = [body.subarray(0, border), body.subarray(border)];
    const done = await Promise.all(parts.map((part, index) => uploadPart(s3, upload, index + 1, part)));
    assert.equal((await completeUpload(s3, upload, done)).status, 200);
    await untilPooled(async () => assert.ok((await s3.get('bucket', 'parts')).body.equals(body)));
    const ranged = await s3.get('bucket', 'parts', {
      range: `bytes=${border - 9 * mebibyte}-${border + 9 * mebibyte}`,
    });
    assert.ok(ranged.body.equals(body.subarray(border - 9 * mebibyte, border + 9 * mebibyte + 1)));
  });

  it('leaves small objects to the event loop', async () => {
    const { s3 } = suite;
    const before = [await segments('pool'), await segments('inline')];
    await s3.put('bucket', 'small', body.subarray(0, mebibyte));
    await s3.get('bucket', 'small');
    assert.deepEqual([await segments('pool'), (await segments('inline')) - (before[1] ?? 0)], [before[0], 32]);
  });

  it('frees the threads of clients that go away', async () => {
    const { s3, gateway } = suite;
    const request = { method: 'GET', bucket: 'bucket', key: 'large' };
    for (let round = 0; round < 10; round += 1) {
      const headers = await signHeaders(s3.toSign(request), { credentials: s3.credentials });
      const connection = await RawConnection.open(gateway.s3);
      connection.write(requestHead(request.method, targetOf(request), headers));
      await sleep(round * 5);
      connection.socket.resetAndDestroy();
    }
    for (const deadline = Date.now() + patienceMs; ;) {
      const scraped = await scrape(gateway);
      const left = [valueOf(scraped, 's3eg_requests_in_flight'), valueOf(scraped, 's3eg_crypto_busy_slots')];
      if (left.every((value) => value === 0)) break;
      assert.ok(Date.now() < deadline, `still busy: ${left.join(' requests, slots ')}`);
      await sleep(20);
    }
    assert.ok((await s3.get('bucket', 'large')).body.equals(body));
    assert.equal(valueOf(await scrape(gateway), 's3eg_crypto_thread_failures_total'), 0);
  });
});
