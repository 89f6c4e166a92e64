import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { StoreRotationLease } from '../../../src/maintenance/store-rotation-lease.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { TestClock } from '../keys/support.ts';

const due = { keyName: 'main', dueMs: Date.UTC(2026, 1, 1, 3) };
const leaseMs = 60_000;

async function setUp(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), 's3eg-lease-'));
  const store = await FilesystemStore.open({ root });
  t.after(async () => {
    await store.close();
    await rm(root, { recursive: true });
  });
  const clock = new TestClock();
  return { store, clock, lease: () => new StoreRotationLease({ store, prefix: '.s3eg/', clock }) };
}

test('of many who claim at once one gets it, and after it is done nobody', async (t) => {
  const { store, lease } = await setUp(t);
  await store.createBucket('b-second', {});
  await store.createBucket('a-first', {});
  const claims = await Promise.all(Array.from({ length: 8 }, () => lease().claim(due, { leaseMs, current: '1' })));
  assert.deepEqual(claims.toSorted(), ['claimed', ...Array<string>(7).fill('taken')]);
  await lease().finish(due, 'v2');
  assert.equal(await lease().claim(due, { leaseMs, current: '1' }), 'done');
  const { objects } = await store.listObjects({ bucket: 'a-first', version: 2 });
  assert.deepEqual(
    objects.map(({ key }) => key),
    ['.s3eg/rotation/main/2026-02-01T03:00:00.000Z'],
  );
  assert.equal(
    await lease().claim({ ...due, dueMs: due.dueMs + 1 }, { leaseMs, current: '1' }),
    'claimed',
    'the next time',
  );
  assert.equal(await lease().claim({ ...due, keyName: 'other' }, { leaseMs, current: '1' }), 'claimed', 'another key');
});

test('a claim that came to nothing is taken over once its time is over, by one', async (t) => {
  const { store, clock, lease } = await setUp(t);
  await store.createBucket('only', {});
  assert.equal(await lease().claim(due, { leaseMs, current: '1' }), 'claimed');
  clock.pass(leaseMs - 1);
  assert.equal(await lease().claim(due, { leaseMs, current: '1' }), 'taken');
  clock.pass(1);
  const claims = await Promise.all(Array.from({ length: 8 }, () => lease().claim(due, { leaseMs, current: '1' })));
  assert.equal(claims.filter((state) => state === 'claimed').length, 1);
});

test('without a bucket there is nothing to rotate for', async (t) => {
  const { lease } = await setUp(t);
  await assert.rejects(lease().claim(due, { leaseMs, current: '1' }), { code: 'NoSuchBucket' });
});

test('a rotation that was made by one who died before saying so is not made again', async (t) => {
  const { store, clock, lease } = await setUp(t);
  await store.createBucket('only', {});
  assert.equal(await lease().claim(due, { leaseMs, current: '1' }), 'claimed');
  clock.pass(2 * leaseMs);
  assert.equal(await lease().claim(due, { leaseMs, current: '2' }), 'done');
  assert.equal(
    await lease().claim(due, { leaseMs, current: '1' }),
    'claimed',
    'where the version is still the one of then',
  );
});
