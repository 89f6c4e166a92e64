import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { chosenRuntime } from '../support/runtimes.ts';
import { seededBytes } from './support/bytes.ts';
import { targetOf, type S3Request } from './support/client.ts';
import { scrape, valueOf } from './support/metrics.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { signHeaders } from './support/signing.ts';
import { suiteWithGateway } from './support/suite.ts';

const mebibyte = 1024 * 1024;
const patienceMs = 60_000;

describe('bytes that are held in memory', () => {
  const suite = suiteWithGateway(['bucket']);
  const connections: RawConnection[] = [];
  after(() => leave());

  async function held(): Promise<number> {
    return valueOf(await scrape(suite.gateway), 's3eg_held_bytes');
  }

  async function residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${suite.gateway.process.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Asks until the number stands still for a second; gives it. */
  async function settled(): Promise<number> {
    for (let last = -1; ; await sleep(1000)) {
      const now = await held();
      if (now === last) return now;
      last = now;
    }
  }

  async function comesToZero(): Promise<void> {
    for (const deadline = Date.now() + patienceMs; ; await sleep(50)) {
      const left = await held();
      if (left === 0) return;
      assert.ok(Date.now() < deadline, `${left} bytes are held though nobody is there`);
    }
  }

  /** Sends a request and so many bytes of its body on a connection that nobody reads. */
  async function begin(request: S3Request, sentBytes = 0): Promise<void> {
    const headers = await signHeaders(suite.s3.toSign(request), { credentials: suite.s3.credentials });
    const connection = await RawConnection.open(suite.gateway.s3);
    connection.socket.pause();
    connection.write(requestHead(request.method, targetOf(request), headers));
    connection.write(Buffer.from(request.body ?? '').subarray(0, sentBytes));
    connections.push(connection);
  }

  function leave(): void {
    for (const connection of connections.splice(0)) connection[Symbol.dispose]();
  }

  it('are none where nothing is under way', async () => {
    await suite.s3.put('bucket', 'large', seededBytes('large', 16 * mebibyte));
    await suite.s3.get('bucket', 'large');
    assert.equal(await held(), 0);
  });

  it('stay few with many clients that read nothing, and go with them', async () => {
    const before = await residentBytes();
    const readers = 250;
    for (let count = 0; count < readers; count += 1) {
      await begin({ method: 'GET', bucket: 'bucket', key: 'large' });
    }
    const stuck = await settled();
    const grown = (await residentBytes()) - before;
    // Each would hold up to 1 MiB for itself. Bun takes more beside that.
    const most = chosenRuntime === 'bun' ? { held: 128, resident: 512 } : { held: 100, resident: 160 };
    assert.ok(stuck > 0 && stuck < most.held * mebibyte, `${stuck} bytes for ${readers} readers`);
    assert.ok(grown < most.resident * mebibyte, `${grown} bytes more are resident`);
    leave();
    await comesToZero();
  });

  it('go with uploads that break off or are refused', async () => {
    const body = seededBytes('upload', mebibyte);
    for (let count = 0; count < 20; count += 1) {
      await begin({ method: 'PUT', bucket: 'bucket', key: `k${count}`, body }, 100_000 * (count % 10));
    }
    await sleep(200);
    leave();
    await comesToZero();
    const refused = await suite.s3.send({
      method: 'PUT',
      bucket: 'bucket',
      key: 'k',
      body,
      headers: { 'content-md5': Buffer.alloc(16).toString('base64') },
    });
    assert.equal(refused.outcome, '400 BadDigest');
    await comesToZero();
  });
});
