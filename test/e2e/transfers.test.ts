import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { chosenRuntime } from '../support/runtimes.ts';
import { seededBytes } from './support/bytes.ts';
import { S3Client, targetOf, type S3Request } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { admin, scrape, valueOf } from './support/metrics.ts';
import { createUpload, listParts } from './support/multipart.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { signHeaders } from './support/signing.ts';
import { suiteWithGateway } from './support/suite.ts';

const mebibyte = 1024 * 1024;

/** Longest wait for what must happen soon. */
const patienceMs = 60_000;

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited too long until ${what}`);
    await sleep(50);
  }
}

/** Begins a request on a connection of its own and stops before the end of its body. */
async function begin(s3: S3Client, gateway: Gateway, request: S3Request, sentBytes: number): Promise<RawConnection> {
  const headers = await signHeaders(s3.toSign(request), { credentials: s3.credentials });
  const connection = await RawConnection.open(gateway.s3);
  connection.write(requestHead(request.method, targetOf(request), headers));
  connection.write(Buffer.from(request.body ?? '').subarray(0, sentBytes));
  return connection;
}

/** Reads a GET slowly: nothing at all until `resume`, then everything. */
class SlowReader {
  readonly connection: RawConnection;
  readonly #hash = createHash('sha256');
  #head: string | undefined = '';
  bodyBytes = 0;

  constructor(connection: RawConnection) {
    this.connection = connection;
    connection.socket.removeAllListeners('data');
    connection.socket.on('data', (chunk: Buffer) => this.#take(chunk));
    connection.socket.pause();
  }

  /** Reads until the body has `length` bytes; answers their SHA-256. */
  async readAll(length: number): Promise<string> {
    this.connection.socket.resume();
    await until(() => Promise.resolve(this.bodyBytes >= length || this.connection.isClosed), `${length} bytes came`);
    assert.equal(this.bodyBytes, length);
    return this.#hash.digest('hex');
  }

  #take(chunk: Buffer): void {
    if (this.#head === undefined) return this.#takeBody(chunk);
    const text = this.#head + chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    this.#head = end < 0 ? text : undefined;
    if (end >= 0) this.#takeBody(Buffer.from(text.slice(end + 4), 'latin1'));
  }

  #takeBody(bytes: Buffer): void {
    this.bodyBytes += bytes.length;
    this.#hash.update(bytes);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('SIGTERM', () => {
  it('lets running transfers end, and takes no new ones', async () => {
    await using gateway = await Gateway.start();
    using s3 = new S3Client(gateway);
    await s3.createBucket('bucket');
    const large = seededBytes('large', 24 * mebibyte);
    await s3.put('bucket', 'large', large);
    using idle = await RawConnection.open(gateway.s3);
    const download = new SlowReader(await begin(s3, gateway, { method: 'GET', bucket: 'bucket', key: 'large' }, 0));
    const body = seededBytes('upload', 6 * mebibyte);
    const upload = { method: 'PUT', bucket: 'bucket', key: 'upload', body };
    using sending = await begin(s3, gateway, upload, 2 * mebibyte);
    await until(async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 2, 'both run');
    gateway.process.child.kill('SIGTERM');
    await gateway.process.until(({ stdout }) => stdout.includes('"message":"draining"') || undefined);
    // Bun tells of a connection only when something came over it.
    if (chosenRuntime !== 'bun') await idle.closed();
    await until(async () => !(await accepts(gateway.s3)), 'nothing new is accepted');
    const ready = await admin(gateway, '/ready');
    assert.equal(ready.status, 503, 'balancers send no more');
    assert.match(ready.text, /"gateway":\{"ok":false,"reason":"starting or draining"\}/);
    assert.equal((await admin(gateway, '/live')).status, 200);
    assert.equal(gateway.process.isOver, false);
    sending.write(body.subarray(2 * mebibyte));
    const answer = await sending.answer();
    assert.deepEqual([answer.outcome, answer.headers['connection']], ['200', 'close']);
    assert.equal(await download.readAll(large.length), sha256(large));
    assert.equal((await gateway.stop()).code, 0);
    // And what was uploaded meanwhile is there.
    await using second = await Gateway.start({ directory: gateway.directory });
    using again = new S3Client(second);
    assert.ok((await again.get('bucket', 'upload')).body.equals(body));
  });

  it('may come again and again, until the process is gone', async () => {
    await using gateway = await Gateway.start();
    const { child } = gateway.process;
    let count = 0;
    while (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      count += 1;
      // A turn of the event loop, no more: one of them is to come while the process exits.
      await new Promise(setImmediate);
    }
    assert.deepEqual([child.exitCode, child.signalCode], [0, null], `after ${count} signals`);
  });

  it('does not wait for ever for a client that stopped', async () => {
    await using gateway = await Gateway.start({
      config: { listen: { host: '127.0.0.1', port: 0, drainTimeout: '500ms' } },
    });
    using s3 = new S3Client(gateway);
    await s3.createBucket('bucket');
    await s3.put('bucket', 'k', 'content');
    const files = await gateway.storedFiles();
    const request = { method: 'PUT', bucket: 'bucket', key: 'stuck', body: seededBytes('stuck', mebibyte) };
    using stuck = await begin(s3, gateway, request, 1000);
    await until(async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 1, 'it runs');
    const { code } = await gateway.stop();
    assert.equal(code, 0);
    await stuck.closed();
    assert.deepEqual(await gateway.storedFiles(), files, 'nothing of it was kept');
  });
});

async function accepts(listener: { readonly host: string; readonly port: number }): Promise<boolean> {
  const socket = connect(listener);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe('a client that goes away', () => {
  const suite = suiteWithGateway(['bucket']);

  const settled = async (): Promise<void> =>
    until(async () => valueOf(await scrape(suite.gateway), 's3eg_requests_in_flight') === 0, 'no request is left');

  it('in the middle of an upload leaves the object as it was and no file behind', async () => {
    const { s3, gateway } = suite;
    await s3.put('bucket', 'victim', 'as it was');
    const files = await gateway.storedFiles();
    const body = seededBytes('aborted', 9 * mebibyte);
    for (const sentBytes of [0, 1, 100_000, 8 * mebibyte, body.length - 1]) {
      using connection = await begin(s3, gateway, { method: 'PUT', bucket: 'bucket', key: 'victim', body }, sentBytes);
      await until(async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 1, 'it runs');
      if (sentBytes % 2 === 0) connection.socket.resetAndDestroy();
      else connection.socket.destroy();
      await settled();
      await gateway.untilStored(files, `${sentBytes} bytes sent`);
      assert.equal((await s3.get('bucket', 'victim')).text, 'as it was');
    }
    const scraped = await scrape(gateway);
    const requests = { operation: 'PutObject', status: '499' };
    assert.equal(valueOf(scraped, 's3eg_requests_total', requests), 5, 'counted as what the client did');
    assert.equal(valueOf(scraped, 's3eg_requests_total', { status: '500' }), 0);
    assert.ok(gateway.process.logLines().every(({ level }) => level !== 'error'));
  });

  it('in the middle of a part leaves the upload as it was', async () => {
    const { s3, gateway } = suite;
    const upload = await createUpload(s3, 'bucket', 'parts');
    const files = await gateway.storedFiles();
    const { bucket, key, uploadId } = upload;
    for (const length of [100_000, 6 * mebibyte]) {
      const body = seededBytes('part', length);
      const request = { method: 'PUT', bucket, key, query: { partNumber: '1', uploadId }, body };
      using connection = await begin(s3, gateway, request, length - 1);
      await until(async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 1, 'it runs');
      connection.socket.resetAndDestroy();
      await settled();
      await gateway.untilStored(files, `${length} bytes`);
      assert.deepEqual(await listParts(s3, upload), []);
    }
  });

  it('in the middle of a download gives everything back', async () => {
    const { s3, gateway } = suite;
    await s3.put('bucket', 'large', seededBytes('large', 24 * mebibyte));
    await settled();
    const before = valueOf(await scrape(gateway), 'process_open_fds');
    for (let round = 0; round < 10; round++) {
      const connection = await begin(s3, gateway, { method: 'GET', bucket: 'bucket', key: 'large' }, 0);
      const reader = new SlowReader(connection);
      connection.socket.resume();
      await until(() => Promise.resolve(reader.bodyBytes > 0), 'it began');
      connection.socket.resetAndDestroy();
    }
    await settled();
    // One more for the connection of the scrape itself; on systems without /proc there is nothing to count.
    await until(async () => valueOf(await scrape(gateway), 'process_open_fds') <= before + 2, 'the files are closed');
    const scraped = await scrape(gateway);
    assert.equal(valueOf(scraped, 's3eg_listener_errors_total'), 0, 'it is no fault of ours');
  });
});

describe('memory', () => {
  const suite = suiteWithGateway(['bucket']);

  /** Resident memory, looked at again and again while something runs. */
  const peakDuring = async (work: () => Promise<void>): Promise<number> => {
    let peak = 0;
    const over = new AbortController();
    const watch = async (): Promise<void> => {
      while (!over.signal.aborted) {
        peak = Math.max(peak, valueOf(await scrape(suite.gateway), 'process_resident_memory_bytes'));
        await sleep(50);
      }
    };
    const watching = watch();
    try {
      await work();
    } finally {
      over.abort();
    }
    await watching;
    return peak;
  };

  it('is not taken by readers that do not read, who get every byte in the end', async () => {
    const { s3, gateway } = suite;
    const large = seededBytes('slow', 32 * mebibyte);
    assert.equal((await s3.put('bucket', 'slow', large)).outcome, '200');
    const before = valueOf(await scrape(gateway), 'process_resident_memory_bytes');
    const readers: SlowReader[] = [];
    const peak = await peakDuring(async () => {
      for (let count = 0; count < 8; count++) {
        readers.push(new SlowReader(await begin(s3, gateway, { method: 'GET', bucket: 'bucket', key: 'slow' }, 0)));
      }
      await until(async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 8, 'all run');
      await sleep(1000);
    });
    const inFlight = valueOf(await scrape(gateway), 's3eg_requests_in_flight');
    assert.equal(inFlight, 8, 'they are held, not served into memory');
    assert.ok(peak - before < 128 * mebibyte, `${(peak - before) / mebibyte} MiB for readers of 256 MiB`);
    const expected = sha256(large);
    for (const reader of readers) assert.equal(await reader.readAll(large.length), expected);
    for (const { connection } of readers) connection[Symbol.dispose]();
  });

  it('is not taken by large uploads either', async () => {
    const { gateway } = suite;
    const body = seededBytes('large', 32 * mebibyte);
    const clients = Array.from({ length: 6 }, () => new S3Client(gateway));
    const before = valueOf(await scrape(gateway), 'process_resident_memory_bytes');
    const peak = await peakDuring(async () => {
      const answers = await Promise.all(clients.map(async (s3, index) => s3.put('bucket', `large-${index}`, body)));
      for (const { outcome } of answers) assert.equal(outcome, '200');
    });
    assert.ok(peak - before < 128 * mebibyte, `${(peak - before) / mebibyte} MiB for 192 MiB of uploads`);
    assert.ok(peak < 256 * mebibyte, `${peak / mebibyte} MiB`);
    for (const client of clients) client[Symbol.dispose]();
  });
});
