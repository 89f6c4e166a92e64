import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { chosenRuntime } from '../support/runtimes.ts';
import { seededBytes } from './support/bytes.ts';
import { S3Client, targetOf } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { admin, scrape, valueOf } from './support/metrics.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { signHeaders } from './support/signing.ts';
import { assertNoneFell, isAlive, Load, until, workerPids } from './support/workers.ts';

const drainTimeout = '20s';
const listen = { host: '127.0.0.1', port: 0, drainTimeout };

/** Two workers, and a bucket. */
async function started(config: Readonly<Record<string, unknown>> = {}): Promise<Gateway> {
  const gateway = await Gateway.start({ config: { workers: 2, listen, ...config } });
  using client = new S3Client(gateway);
  assert.equal((await client.createBucket('bucket')).outcome, '200');
  return gateway;
}

/** How many workers answered requests, by the log. */
function serving(gateway: Gateway): number {
  const requests = gateway.process.logLines().filter(({ message }) => message === 'request');
  return new Set(requests.map(({ worker }) => worker)).size;
}

/** What a process gave its runtime, before the program. */
async function optionsOf(pid: number): Promise<readonly string[]> {
  const [, ...given] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  return given.slice(
    0,
    given.findIndex((argument) => argument.endsWith('.ts')),
  );
}

async function readiness(gateway: Gateway): Promise<{ readonly status: number; readonly text: string }> {
  return await admin(gateway, '/ready');
}

/** Rewrites the configuration file that a gateway was started with, and asks for a reload. */
async function reload(gateway: Gateway, change: (config: Record<string, unknown>) => unknown): Promise<string> {
  const file = gateway.process.child.spawnargs.at(-1) ?? '';
  const config: Record<string, unknown> = { ...JSON.parse(await readFile(file, 'utf8')) };
  const changed = change(config);
  await writeFile(file, typeof changed === 'string' ? changed : JSON.stringify(changed));
  const outcomes = (): readonly unknown[] =>
    gateway.process
      .logLines()
      .map(({ message }) => message)
      .filter((message) => /^(configuration reloaded|reload refused)/.test(String(message)));
  const before = outcomes().length;
  gateway.process.child.kill('SIGHUP');
  await until('the end of a reload', () => outcomes().length > before);
  return String(outcomes().at(-1));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.close();
  await once(server, 'close');
  return address.port;
}

/** A PUT of which the first half is sent; `finish` sends the rest and gives the answer. */
async function halfPut(gateway: Gateway, key: string, body: Buffer) {
  using client = new S3Client(gateway);
  const request = { method: 'PUT', bucket: 'bucket', key, body };
  const headers = await signHeaders(client.toSign(request), { credentials: client.credentials });
  const connection = await RawConnection.open(gateway.s3);
  connection.write(requestHead('PUT', targetOf(request), headers));
  connection.write(body.subarray(0, body.length / 2));
  return {
    connection,
    async finish() {
      connection.write(body.subarray(body.length / 2));
      return await connection.answer('PUT');
    },
  };
}

describe('two workers', { concurrency: 2 }, () => {
  it('share connections evenly, and their metrics are one', async () => {
    await using gateway = await started();
    const before = await scrape(gateway);
    const clients = Array.from({ length: 6 }, () => new S3Client(gateway));
    for (const [index, client] of clients.entries()) {
      await client.put('bucket', `key-${index}`, 'content');
      for (let round = 0; round < 4; round++)
        assert.equal((await client.get('bucket', `key-${index}`)).text, 'content');
    }
    const after = await scrape(gateway);
    for (const client of clients) client[Symbol.dispose]();
    const requests = (): readonly Record<string, unknown>[] =>
      gateway.process.logLines().filter(({ operation, message }) => operation === 'GetObject' && message === 'request');
    await until('all lines of the log', () => requests().length >= 24);
    const counts = Object.groupBy(requests(), ({ worker }) => String(worker));
    assert.deepEqual([counts['1']?.length, counts['2']?.length], [12, 12]);
    const operation = 'GetObject';
    assert.equal(valueOf(after, 's3eg_requests_total', { operation }), 24);
    assert.equal(valueOf(after, 's3eg_request_duration_seconds_count', { operation }), 24);
    assert.equal(valueOf(after, 's3eg_workers', { state: 'serving' }), 2);
    assert.equal(valueOf(after, 's3eg_build_info'), 1);
    const memory = valueOf(after, 'process_resident_memory_bytes');
    const statm = await Promise.all(
      [gateway.pid, ...workerPids(gateway).values()].map((pid) => readFile(`/proc/${pid}/statm`, 'utf8')),
    );
    const resident = statm.reduce((sum, text) => sum + Number(text.split(' ')[1]) * 4096, 0);
    assert.ok(Math.abs(memory - resident) < resident / 5, `${memory} bytes, and ${resident} by the system`);
    assertNoneFell(before, after);
  });

  it('of which one is killed under load: only what it served fails, metrics never fall, and another takes its place', async () => {
    await using gateway = await started();
    const clients = 8;
    await using load = new Load(gateway, clients);
    await load.more(200);
    let last = await scrape(gateway);
    const pids = workerPids(gateway);
    const victim = pids.get(2) ?? 0;
    process.kill(victim, 'SIGKILL');
    const scrapes = async (): Promise<void> => {
      const now = await scrape(gateway);
      assertNoneFell(last, now);
      last = now;
    };
    await until('the loss to be noticed', async () => {
      await scrapes();
      return valueOf(last, 's3eg_worker_crashes_total', { cause: 'signal' }) === 1;
    });
    await until('another worker', async () => {
      await scrapes();
      return workerPids(gateway).get(2) !== victim;
    });
    assert.equal(workerPids(gateway).get(1), pids.get(1), 'the other one was not touched');
    await load.more(200);
    await load.stop();
    await scrapes();
    // Each client had at most one request on the worker that was killed.
    assert.ok(load.failures.length <= clients / 2 + 1, JSON.stringify(load.failures));
    const served200 = load.sent.filter(({ outcome }) => outcome === '200').length;
    const counted = valueOf(last, 's3eg_requests_total', { status: '200' });
    assert.ok(counted <= served200 + load.failures.length + 1, `${counted} counted, ${served200} answered`);
    const line = gateway.process.logLines().find(({ message }) => message === 'worker ended; another is started');
    assert.deepEqual([line?.['worker'], line?.['pid'], line?.['reason']], [2, victim, 'killed by SIGKILL']);
    assert.equal(serving(gateway), 2);
  });

  it('that both die: connections wait for the next ones, which say so in /ready until then', async () => {
    await using gateway = await started();
    const pids = [...workerPids(gateway).values()];
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('their end', () => !pids.some(isAlive));
    await until('/ready to say it', async () => {
      const { status, text } = await readiness(gateway);
      return status === 503 && /worker 1 is (starting|waiting)[^"]*, worker 2 is (starting|waiting)/.test(text);
    });
    using client = new S3Client(gateway);
    assert.equal((await client.put('bucket', 'after', 'all')).outcome, '200');
    await until('/ready to be well again', async () => (await readiness(gateway)).status === 200);
  });

  it('end with their supervisor, however it dies', async () => {
    const gateway = await started();
    const pids = [...workerPids(gateway).values()];
    assert.equal(pids.length, 2);
    const { connection } = await halfPut(gateway, 'torn', seededBytes('torn', 2_000_000));
    await gateway.kill();
    await until('the end of the workers', () => !pids.some(isAlive));
    await connection.closed();
    await gateway[Symbol.asyncDispose]();
  });

  for (const [what, signals] of [
    ['SIGTERM', (gateway: Gateway) => [[gateway.pid, 'SIGTERM']]],
    [
      'Ctrl-C, which every process gets',
      (gateway: Gateway) => [...workerPids(gateway).values(), gateway.pid].map((pid) => [pid, 'SIGINT']),
    ],
  ] as const) {
    it(`finish what runs after ${what}`, async () => {
      const gateway = await started();
      const body = seededBytes('drained', 3_000_000);
      const puts = await Promise.all(['a', 'b', 'c', 'd'].map((key) => halfPut(gateway, key, body)));
      await until('all PUTs to run', async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 4);
      for (const [pid, signal] of signals(gateway)) process.kill(Number(pid), String(signal));
      await until('/ready to say it', async () => (await readiness(gateway)).status === 503);
      for (const put of puts) assert.equal((await put.finish()).outcome, '200');
      const { code } = await gateway.process.ended;
      assert.equal(code, 0);
      const pids = [...workerPids(gateway).values()];
      assert.ok(!pids.some(isAlive), 'no worker is left');
      assert.doesNotMatch(gateway.output, /worker ended/);
      await gateway[Symbol.asyncDispose]();
    });
  }

  it('end at once after a second Ctrl-C', async () => {
    const gateway = await started();
    const { connection } = await halfPut(gateway, 'cut', seededBytes('cut', 2_000_000));
    await until('the PUT to run', async () => valueOf(await scrape(gateway), 's3eg_requests_in_flight') === 1);
    const pids = [...workerPids(gateway).values()];
    const interrupt = (): void => {
      // The worker that has nothing to do is gone after the first one.
      for (const pid of [...pids, gateway.pid].filter(isAlive)) process.kill(pid, 'SIGINT');
    };
    interrupt();
    await until('/ready to say it', async () => (await readiness(gateway)).status === 503);
    await sleep(600); // What comes sooner is the same Ctrl-C.
    interrupt();
    assert.equal((await gateway.process.ended).code, 130);
    await until('the end of the workers', () => !pids.some(isAlive));
    await connection.closed();
    await rm(gateway.directory, { recursive: true, force: true });
  });

  const skip = chosenRuntime === 'bun' && 'a drain there may cut off a request that has only just come';

  it('take another configuration under load: no request fails, and the new policy holds', { skip }, async () => {
    await using gateway = await started();
    const before = workerPids(gateway);
    const large = seededBytes('large', 5000);
    using client = new S3Client(gateway);
    assert.equal((await client.put('bucket', 'large', large)).outcome, '200');
    const last = await scrape(gateway);
    await using load = new Load(gateway, 6);
    await load.more(100);
    // Beside those clients, some that keep no connection.
    await using fresh = new Load(gateway, 2, { isFresh: true });
    const slow = await halfPut(gateway, 'slow', seededBytes('slow', 4000));
    const outcome = reload(gateway, (config) => ({
      ...config,
      policies: [{ name: 'small', limits: { maxObjectBytes: '4KiB' } }],
    }));
    // What is being sent meanwhile is finished by the worker that has it.
    await until('a new worker', () => workerPids(gateway).get(1) !== before.get(1));
    assert.equal((await slow.finish()).outcome, '200');
    assert.equal(await outcome, 'configuration reloaded');
    await load.more(50);
    for (const each of [load, fresh]) {
      await each.stop();
      assert.deepEqual(each.failures, []);
    }
    assert.ok(fresh.sent.length > 10);
    const after = workerPids(gateway);
    for (const [worker, pid] of before) {
      assert.notEqual(after.get(worker), pid);
      assert.ok(!isAlive(pid), `worker ${worker} of before is gone`);
    }
    assert.equal((await client.put('bucket', 'too-large', large)).outcome, '400 EntityTooLarge');
    const now = await scrape(gateway);
    assertNoneFell(last, now);
    assert.equal(valueOf(now, 's3eg_reloads_total', { outcome: 'done' }), 1);
    assert.equal(valueOf(now, 's3eg_worker_crashes_total'), 0);
  });

  it('stay as they are where a configuration is bad', async () => {
    await using gateway = await started();
    const before = workerPids(gateway);
    await using load = new Load(gateway, 2);
    let whole: Record<string, unknown> = {};
    for (const [what, change, reason] of [
      ['no YAML', () => '{ "workers": ', /gateway-.*\.yaml/],
      ['a key that is not there', () => ({ ...whole, policies: [{ name: 'a', encryption: { key: 'no' } }] }), /"no"/],
      ['another admin port', () => ({ ...whole, admin: { port: 1 } }), /admin\.port/],
      ['a certificate that is none', () => ({ ...whole, listen: { ...listen, tls: { cert: 'x', key: 'y' } } }), /tls/],
      [
        'a listener that cannot be',
        () => ({ ...whole, listen: { host: '127.0.0.1', port: gateway.admin.port } }),
        /EADDRINUSE/,
      ],
      ['a damaged keyring', () => ({ ...whole, keys: { local: { type: 'local', file: './damaged' } } }), /damaged/],
    ] as const) {
      await writeFile(join(gateway.directory, 'damaged'), '{', { mode: 0o600 });
      const outcome = await reload(gateway, (config) => {
        if (Object.keys(whole).length === 0) whole = config;
        return change();
      });
      await writeFile(gateway.process.child.spawnargs.at(-1) ?? '', JSON.stringify(whole));
      assert.match(outcome, /^reload refused/, what);
      const line = gateway.process.logLines().findLast(({ message }) => message === outcome);
      assert.match(String(line?.['error_message']), reason, what);
    }
    await load.more(20);
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.deepEqual(workerPids(gateway), before);
    assert.equal(valueOf(await scrape(gateway), 's3eg_reloads_total', { outcome: 'refused' }), 6);
    // And a good one is taken still: another worker more, and another port.
    const moved = { ...listen, port: await freePort() };
    assert.equal(
      await reload(gateway, (config) => ({ ...config, workers: 3, listen: moved })),
      'configuration reloaded',
    );
    assert.equal(workerPids(gateway).size, 3);
    using there = new S3Client({ s3: moved });
    assert.equal((await there.put('bucket', 'moved', 'here')).outcome, '200');
    await assert.rejects(RawConnection.open(gateway.s3), /ECONNREFUSED/);
  });

  it('make keyring and credentials once, and have the options of their supervisor', async () => {
    const gateway = await Gateway.start({ config: { workers: 3, credentials: undefined } });
    const made = gateway.output.match(/Credentials were made/g);
    assert.equal(made?.length, 1);
    assert.equal(new Set(workerPids(gateway).values()).size, 3);
    const own = await optionsOf(gateway.pid);
    assert.ok(own.length > 0, 'the supervisor has options');
    for (const pid of workerPids(gateway).values()) assert.deepEqual(await optionsOf(pid), own);
    const keyring: unknown = JSON.parse(await readFile(join(gateway.directory, 'keyring.json'), 'utf8'));
    assert.ok(typeof keyring === 'object' && keyring !== null);
    await gateway.stop();
    await gateway[Symbol.asyncDispose]();
  });
});

describe('one worker', () => {
  it('is one process', async () => {
    await using gateway = await Gateway.start({});
    assert.equal(workerPids(gateway).size, 0);
    const children = await readFile(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8');
    assert.equal(children, '');
  });
});
