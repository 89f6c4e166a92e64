import assert from 'node:assert/strict';
import { test } from 'node:test';

import { leftAt, takeUpsOf } from '../../../src/keys/take-up.ts';
import { TestKeyService } from './support.ts';

/** A key of three versions whose times are known. */
function service(describeTtlMs: number | undefined, times: Readonly<Record<string, number>> | undefined) {
  const key = new TestKeyService();
  key.addVersion();
  key.addVersion();
  const told = times === undefined ? undefined : () => Promise.resolve(new Map(Object.entries(times)));
  Object.defineProperty(key, 'versionTimesMs', { value: told });
  return Object.assign(key, describeTtlMs === undefined ? {} : { describeTtlMs });
}

test('a version is written under until the next one was taken up: by asking for versions, or with the next bucket key', async () => {
  for (const [describeTtlMs, ttlMs, withinMs] of [
    [undefined, 300_000, 10_000],
    [1_000, 300_000, 6_000],
    [300_000, 300_000, 305_000],
    [300_000, 60_000, 65_000],
    [300_000, 0, 5_000],
  ] as const) {
    const takeUps = await takeUpsOf(service(describeTtlMs, { v1: 1000, v2: 2000, v3: 3000 }), { ttlMs });
    assert.deepEqual(
      [...takeUps],
      [
        ['v2', { withinMs, supersededMs: 3000 }],
        ['v1', { withinMs, supersededMs: 2000 }],
      ],
    );
  }
});

test('what is left is counted from the moment that is asked about, and not known where nobody tells the time', async () => {
  const known = (await takeUpsOf(service(undefined, { v2: 100_000 }), { ttlMs: 300_000 })).get('v1');
  assert.ok(known !== undefined);
  assert.deepEqual(
    [0, 100_000, 109_999, 110_000, 200_000].map((atMs) => leftAt(known, atMs)),
    [110_000, 10_000, 1, 0, 0],
  );
  const takeUps = [
    ...(await takeUpsOf(service(undefined, undefined), { ttlMs: 300_000 })).values(),
    ...(await takeUpsOf(service(undefined, {}), { ttlMs: 300_000 })).values(),
  ];
  assert.deepEqual(
    takeUps.map((takeUp) => leftAt(takeUp, 0)),
    [undefined, undefined, undefined, undefined],
  );
});
