import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { RotationSchedule } from '../../../src/keys/rotation-schedule.ts';
import {
  RotationScheduler,
  type DueRotation,
  type LeaseState,
  type RotationLease,
} from '../../../src/keys/rotation-scheduler.ts';
import { settled, TestKeyService } from './support.ts';

const minuteMs = 60_000;

/** A lease that all schedulers of a test share. */
class TestLease implements RotationLease {
  readonly claims = new Map<number, { atMs: number; from?: string; version?: string }>();

  claim({ dueMs }: DueRotation, { leaseMs, current }: { leaseMs: number; current: string }): Promise<LeaseState> {
    const held = this.claims.get(dueMs);
    if (held?.version !== undefined || (held?.from ?? current) !== current) return Promise.resolve('done');
    if (held !== undefined && Date.now() - held.atMs < leaseMs) return Promise.resolve('taken');
    this.claims.set(dueMs, { atMs: Date.now(), from: current });
    return Promise.resolve('claimed');
  }

  finish({ dueMs }: DueRotation, version: string): Promise<void> {
    this.claims.set(dueMs, { atMs: Date.now(), version });
    return Promise.resolve();
  }
}

function setUp(t: TestContext, pattern: string) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 0, 31, 2, 59, 0) });
  const service = new TestKeyService();
  const lease = new TestLease();
  const lines: string[] = [];
  const told: string[] = [];
  const schedulers: RotationScheduler[] = [];
  const start = (provider = service.replica()): void => {
    schedulers.push(
      new RotationScheduler({
        schedules: new Map([['main', new RotationSchedule(pattern)]]),
        providers: new Map([['main', provider]]),
        lease,
        events: {
          started: ({ keyName }) => void told.push(`started ${keyName}`),
          skipped: ({ reason }) => void told.push(reason),
          rotated: ({ previous, current }) => void lines.push(`${previous} ${current}`),
          failed: ({ error }) => void lines.push(String(error)),
        },
      }),
    );
  };
  t.after(() => {
    for (const scheduler of schedulers) scheduler[Symbol.dispose]();
  });
  const pass = async (minutes: number): Promise<void> => {
    for (let minute = 0; minute < minutes; minute++) {
      t.mock.timers.tick(minuteMs);
      await settled();
    }
  };
  return { service, lease, lines, start, pass, schedulers };
}

test('of several replicas one rotates at each time', async (t) => {
  const { service, lines, start, pass } = setUp(t, '0 3 * * *');
  for (let replica = 0; replica < 3; replica++) start();
  await pass(5);
  assert.deepEqual((await service.describe()).versions, ['v2', 'v1']);
  await pass(24 * 60);
  assert.deepEqual((await service.describe()).versions, ['v3', 'v2', 'v1']);
  assert.deepEqual(lines, ['v1 v2', 'v2 v3']);
});

test('a replica that died with the lease is followed by another one', async (t) => {
  const { service, lease, start, pass } = setUp(t, '0 3 * * *');
  start();
  lease.claims.set(Date.UTC(2026, 0, 31, 3), { atMs: Date.now() + minuteMs });
  await pass(1);
  assert.deepEqual((await service.describe()).versions, ['v1']);
  await pass(3);
  assert.deepEqual((await service.describe()).versions, ['v2', 'v1']);
});

test('a key service that is away is asked again, and no more than a few times', async (t) => {
  const { service, lines, start, pass } = setUp(t, '0 3 * * *');
  service.fail('unavailable');
  start();
  await pass(2);
  assert.equal(lines.length, 1);
  service.fail(undefined);
  await pass(3);
  assert.equal(lines.at(-1), 'v1 v2');
  service.fail('unavailable');
  await pass(24 * 60 + 10);
  assert.equal(lines.filter((line) => line.includes('unavailable') || line.includes('failed')).length, 1 + 4);
});

test('a rotation of which no answer came is not made a second time where it was made', async (t) => {
  const { service, lines, start, pass } = setUp(t, '0 3 * * *');
  const unheard = service.replica();
  unheard.rotate = () => {
    service.addVersion();
    return Promise.reject(new Error('no answer'));
  };
  start(unheard);
  await pass(10);
  assert.deepEqual((await service.describe()).versions, ['v2', 'v1']);
  assert.deepEqual(lines, ['Error: no answer']);
});

test('a scheduler that was disposed of does nothing more', async (t) => {
  const { service, start, pass, schedulers } = setUp(t, '0 3 * * *');
  start();
  schedulers[0]?.[Symbol.dispose]();
  await pass(10);
  assert.deepEqual((await service.describe()).versions, ['v1']);
});

test('a key that the gateway cannot rotate is told of', async (t) => {
  const { lines, start, pass, service } = setUp(t, '0 3 * * *');
  const cannot = service.replica();
  Object.defineProperty(cannot, 'rotate', { value: undefined });
  start(cannot);
  await pass(2);
  assert.match(lines[0] ?? '', /does not let the gateway rotate/);
});

test('times are those of the fields, in UTC', () => {
  const known: readonly (readonly [string, string, string])[] = [
    ['0 3 1 * *', '2026-01-31T23:00:00Z', '2026-02-01T03:00:00Z'],
    ['30 2 * * 0', '2026-03-28T00:00:00Z', '2026-03-29T02:30:00Z'],
    ['*/15 * * * *', '2026-10-25T00:59:59Z', '2026-10-25T01:00:00Z'],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ];
  for (const [pattern, from, expected] of known) {
    assert.equal(new RotationSchedule(pattern).after(Date.parse(from)), Date.parse(expected), pattern);
  }
  for (const wrong of ['', 'x', '* * * *', '0 0 3 1 * *', '61 * * * *', '0 3 31 2 *', '@daily']) {
    assert.throws(() => new RotationSchedule(wrong), RangeError, wrong);
  }
});
