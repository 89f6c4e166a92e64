import assert from 'node:assert/strict';
import { it } from 'node:test';

import { openSegmentPool } from '../../../../src/crypto/pool/open-pool.ts';
import type { SegmentPool } from '../../../../src/crypto/pool/segment-pool.ts';
import { until } from './pool-support.ts';

const large = 2 ** 30;
const fast = { bytesPerSecond: 4e9, onThreadFailed: () => {} };

async function startedThreads(pool: SegmentPool): Promise<number> {
  await until(() => pool.isWanted(), 'a thread is ready');
  return pool.stats.threads;
}

it('takes the number of threads that is asked for, for both directions, whatever the load', async () => {
  await using pool = openSegmentPool(3, fast, 1);
  assert.equal(await startedThreads(pool), 3);
  assert.ok(pool.lane('seal', large) !== undefined);
  assert.ok(pool.lane('open', large) !== undefined);
  assert.equal(pool.lane('open', 8 * 1024 * 1024 - 1), undefined, 'but not for small bodies');
});

it('takes none where none is asked for, or there is one core', async () => {
  await using none = openSegmentPool(0, fast, 8);
  assert.equal(none.isWanted(), false);
  await using alone = openSegmentPool('auto', fast, 1);
  assert.equal(alone.lane('open', large), undefined);
  assert.equal(alone.stats.threads, 0);
});

it('starts no thread by itself before the load was measured', async () => {
  await using pool = openSegmentPool('auto', fast, 8);
  assert.equal(pool.lane('open', large), undefined);
  assert.equal(pool.stats.threads, 0);
});
