import assert from 'node:assert/strict';
import { it } from 'node:test';

import { openSegmentPool } from '../../../../src/crypto/pool/open-pool.ts';
import type { SegmentPool } from '../../../../src/crypto/pool/segment-pool.ts';
import { until } from './pool-support.ts';

const large = 2 ** 30;
const slow = { bytesPerSecond: 0.4e9, onThreadFailed: () => {} };
const fast = { bytesPerSecond: 4e9, onThreadFailed: () => {} };

async function startedThreads(pool: SegmentPool): Promise<number> {
  await until(() => pool.isWanted(), 'a thread is ready');
  return pool.stats.threads;
}

it('takes the number of threads that is asked for, whatever the load and the cipher', async () => {
  await using pool = openSegmentPool(3, fast, 1);
  assert.equal(await startedThreads(pool), 3);
  assert.ok(pool.lane(large) !== undefined);
  assert.equal(pool.lane(8 * 1024 * 1024 - 1), undefined, 'but not for small bodies');
});

it('takes none where none is asked for, or there is one core', async () => {
  await using none = openSegmentPool(0, fast, 8);
  assert.equal(none.isWanted(), false);
  await using alone = openSegmentPool('auto', slow, 1);
  assert.equal(alone.lane(large), undefined);
  assert.equal(alone.stats.threads, 0);
});

it('starts no thread by itself before the load was measured', async () => {
  await using pool = openSegmentPool('auto', slow, 8);
  assert.equal(pool.lane(large), undefined);
  assert.equal(pool.stats.threads, 0);
});

it('makes room for two threads by itself where the cipher is slow, and for none where it is fast', async () => {
  await using two = openSegmentPool('auto', slow, 8);
  await using one = openSegmentPool('auto', slow, 2);
  await using none = openSegmentPool('auto', fast, 8);
  await using asked = openSegmentPool(0, fast, 8);
  assert.ok(two.laneDepth > one.laneDepth && one.laneDepth > none.laneDepth);
  assert.equal(none.laneDepth, asked.laneDepth);
  assert.equal(none.isWanted(), false);
});
