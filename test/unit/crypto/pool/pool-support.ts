import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { SegmentPool, type SegmentPoolOptions } from '../../../../src/crypto/pool/segment-pool.ts';

/** Longest wait for what must happen soon, on a busy machine. */
const patienceMs = 30_000;

/** A pool that is always wanted, takes streams of any length, and gives its threads a few segments at a time. */
export function eagerPool(options: Partial<SegmentPoolOptions> = {}): SegmentPool {
  return new SegmentPool({
    threads: 2,
    gate: { allows: () => true, worked: () => {} },
    leastStreamBytes: 1,
    jobBytes: 256,
    ...options,
  });
}

/** The same, once one of its threads is ready. */
export async function readyPool(options: Partial<SegmentPoolOptions> = {}): Promise<SegmentPool> {
  const pool = eagerPool(options);
  await until(() => pool.isWanted(), 'a thread is ready');
  return pool;
}

/** Waits for a condition. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited too long until ${what}`);
    await sleep(2);
  }
}

/** A thread of the tests. */
export function testThread(name: 'slow-thread' | 'crashing-thread'): URL {
  return new URL(`${name}.ts`, import.meta.url);
}
