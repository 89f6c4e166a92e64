import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'node:test';

import type { ByteStream } from '../../../../src/base/byte-stream.ts';
import { handOver } from '../../../../src/base/chunk-memory.ts';
import { encryptMessage } from '../../../../src/crypto/floe-stream.ts';
import { FloeEncryptor } from '../../../../src/crypto/floe.ts';
import type { SegmentJob } from '../../../../src/crypto/pool/segment-job.ts';
import type { SegmentPool } from '../../../../src/crypto/pool/segment-pool.ts';
import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';
import { collect, patternBytes, streamOf } from '../floe-support.ts';
import { eagerPool, readyPool, testThread, until } from './pool-support.ts';

const key = SecretBytes.copyOf(Buffer.alloc(32, 5));
const aad = Buffer.from('pool');

function encryptor(segmentSizeBytes = 50): FloeEncryptor {
  return new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes });
}

async function encrypt(pool: SegmentPool, plaintextBytes: number): Promise<Buffer> {
  using sealing = encryptor();
  return await collect(encryptMessage(sealing, streamOf(patternBytes(plaintextBytes), 500), { pool, plaintextBytes }));
}

/** A job that is done at once. */
const noSegments: SegmentJob = {
  kind: 'open',
  suite: 'aes-256-gcm',
  keys: [],
  firstPosition: 0,
  lengthsBytes: [],
  isFinal: false,
  nonces: new Uint8Array(),
  pieces: [],
};

/** Ends only when it is left. */
async function* endless(chunkBytes: number): ByteStream & AsyncGenerator<Uint8Array> {
  for (;;) yield handOver(Buffer.allocUnsafeSlow(chunkBytes));
}

describe('a cancelled stream', () => {
  it('frees its lane at once and its slots soon, a thousand times', async () => {
    await using pool = await readyPool({ jobBytes: 256 * 1024 });
    for (let round = 0; round < 1000; round += 1) {
      using sealing = encryptor(65_536);
      const stream = encryptMessage(sealing, endless(65_536), { pool, plaintextBytes: 2 ** 40 });
      const chunks = stream[Symbol.asyncIterator]();
      for (let taken = 0; taken < round % 7; taken += 1) await chunks.next();
      const underWay = chunks.next().catch(() => undefined);
      await chunks.return?.();
      assert.equal(pool.stats.lanes, 0);
      await underWay;
    }
    await until(() => pool.stats.busySlots === 0, 'the slots are free');
    assert.ok(pool.stats.poolSegments > 1000, 'threads were at work');
    assert.equal((await encrypt(pool, 5000)).length, 74 + 5000 + 100 * 32);
  });

  it('stops a thread between two segments', async () => {
    await using pool = await readyPool({ jobBytes: 64 * 1024 * 1024, threads: 1 });
    using sealing = encryptor(65_536);
    const chunks = encryptMessage(sealing, endless(65_536), { pool, plaintextBytes: 2 ** 40 })[Symbol.asyncIterator]();
    await chunks.next();
    const underWay = chunks.next().catch(() => undefined);
    await until(() => pool.stats.busySlots > 0, 'the thread has a job of 1024 segments');
    await chunks.return?.();
    await underWay;
    await until(() => pool.stats.busySlots === 0, 'the slot is free');
    assert.ok(pool.stats.poolSegments < 1024, `${pool.stats.poolSegments} segments were done all the same`);
  });
});

describe('the bounds of a pool', () => {
  it('are a lane for each thread, two jobs for each thread, and a depth for each lane', async () => {
    await using pool = await readyPool({ threads: 2 });
    const [first, second, third] = [pool.lane(100), pool.lane(100), pool.lane(100)];
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(third, undefined);
    first.close();
    assert.ok(pool.lane(100) !== undefined, 'a lane that was closed is free again');
    assert.equal(first.run(noSegments), undefined, 'and takes no more jobs');
    assert.equal(first.isWanted, false);
    const answers: Promise<unknown>[] = [];
    for (;;) {
      const answer = second.run(noSegments);
      if (answer === undefined) break;
      answers.push(answer);
    }
    assert.equal(answers.length, pool.stats.busySlots);
    assert.ok(answers.length === 2 || answers.length === 4, 'one or both threads are ready');
    await Promise.all(answers);
    assert.equal(pool.stats.busySlots, 0);
  });

  it('keep a source from being read ahead without end', async () => {
    await using pool = await readyPool({ threads: 1, jobBytes: 10 * 50 });
    using sealing = encryptor();
    let read = 0;
    async function* counted(): ByteStream & AsyncGenerator<Uint8Array> {
      for (;;) {
        read += 50;
        yield Buffer.alloc(50);
      }
    }
    const chunks = encryptMessage(sealing, counted(), { pool, plaintextBytes: 2 ** 30 })[Symbol.asyncIterator]();
    await chunks.next();
    await chunks.next();
    await sleep(50);
    // Taken are the first segment, which is done here, and at most a job of ten. Another is begun below four jobs, whose segments need
    // not be all in jobs: so 39 may become 49. One chunk is looked ahead.
    assert.ok(read <= (1 + 10 + 39 + 10 + 1) * 50, `${read} bytes were read ahead`);
    await chunks.return?.();
  });

  it('leave small streams, and all without threads, to the event loop', async () => {
    await using small = await readyPool({ leastStreamBytes: 6000 });
    await encrypt(small, 5000);
    assert.deepEqual([small.stats.poolSegments, small.stats.inlineSegments], [0, 100]);
    await using none = eagerPool({ threads: 0 });
    await encrypt(none, 5000);
    assert.deepEqual([none.stats.threads, none.stats.poolSegments, none.stats.inlineSegments], [0, 0, 100]);
  });

  it('and the gate, also in mid-stream', async () => {
    let asked = 0;
    const gate = { allows: () => (asked += 1) % 40 < 20, worked: () => {} };
    await using pool = eagerPool({ gate });
    await until(() => pool.isWanted(), 'a thread is ready');
    const message = await encrypt(pool, 20_000);
    assert.equal(message.length, 74 + 20_000 + 400 * 32);
    const { poolSegments, inlineSegments } = pool.stats;
    assert.equal(poolSegments + inlineSegments, 400);
    assert.ok(poolSegments > 0 && inlineSegments > 0);
  });
});

describe('a thread that dies', () => {
  it('fails the stream that it worked for, and only that; another one takes its place after a while', async () => {
    let nowMs = 0;
    const failures: Error[] = [];
    await using pool = await readyPool({
      threads: 1,
      script: testThread('crashing-thread'),
      now: () => nowMs,
      onThreadFailed: (error) => failures.push(error),
    });
    await assert.rejects(encrypt(pool, 5000), { name: 'PoolError', code: 'thread_failed' });
    assert.match(String(failures[0]), /out of luck/);
    assert.equal(failures.length, 1);
    assert.deepEqual([pool.stats.threads, pool.stats.busySlots, pool.stats.lanes], [0, 0, 0]);
    assert.equal((await encrypt(pool, 5000)).length, 74 + 5000 + 100 * 32, 'the event loop does it meanwhile');
    assert.equal(pool.stats.threads, 0, 'no thread before its time');
    nowMs += 100;
    await until(() => pool.isWanted(), 'the next thread is ready');
    await encrypt(pool, 1000);
    await assert.rejects(encrypt(pool, 5000), { code: 'thread_failed' });
    assert.equal(pool.stats.threadFailures, 2);
  });

  it('is started again ever later while it does nothing but die', async () => {
    let nowMs = 0;
    const script = new URL(`data:text/javascript,${encodeURIComponent('throw new Error("no luck at all")')}`);
    await using pool = eagerPool({ threads: 1, script, now: () => nowMs });
    const delaysMs: number[] = [];
    for (let failure = 1; failure <= 12; failure += 1) {
      assert.equal(pool.isWanted(), false);
      await until(() => pool.stats.threadFailures === failure, 'it failed');
      const startedMs = nowMs;
      while ((pool.isWanted(), pool.stats.threads === 0)) nowMs += 100;
      delaysMs.push(nowMs - startedMs);
    }
    assert.deepEqual(delaysMs, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  });
});

describe('a pool that is closed', () => {
  it('fails what is under way, takes nothing more, and keeps no process alive', async () => {
    const pool = await readyPool({ jobBytes: 256 * 1024 });
    using sealing = encryptor(65_536);
    const chunks = encryptMessage(sealing, endless(65_536), { pool, plaintextBytes: 2 ** 40 })[Symbol.asyncIterator]();
    await chunks.next();
    const lane = pool.lane(2 ** 40);
    assert.ok(lane !== undefined);
    const answer = assert.rejects(Promise.resolve(lane.run(noSegments)), {
      name: 'PoolError',
      code: 'closed',
    });
    await pool.close();
    await answer;
    lane.close();
    await chunks.return?.();
    assert.equal(pool.isWanted(), false);
    assert.equal(pool.lane(2 ** 40), undefined);
    assert.deepEqual([pool.stats.threads, pool.stats.lanes], [0, 0]);
  });
});
