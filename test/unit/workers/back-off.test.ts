import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { BackOff } from '../../../src/workers/back-off.ts';

test('each wait may be twice as long as the one before, up to the most', () => {
  const backOff = new BackOff({ firstMs: 100, mostMs: 1000, random: () => 1 });
  assert.deepEqual(
    [0, 0, 0, 0, 0, 0].map((ranMs) => backOff.next(ranMs)),
    [100, 200, 400, 800, 1000, 1000],
  );
});

test('what ran long enough begins anew', () => {
  const backOff = new BackOff({ firstMs: 100, mostMs: 10_000, wellAfterMs: 5000, random: () => 1 });
  assert.deepEqual(
    [0, 0, 4999, 5000, 0].map((ranMs) => backOff.next(ranMs)),
    [100, 200, 400, 100, 200],
  );
});

test('by default waits grow from a tenth of a second to half a minute, and are never shorter than half of it', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 20, maxLength: 60 }), (draws) => {
      const given = [...draws];
      const backOff = new BackOff({ random: () => given.shift() ?? 0 });
      for (const [index, draw] of draws.entries()) {
        const mostMs = Math.min(30_000, 200 * 2 ** index);
        const waitMs = backOff.next(0);
        assert.ok(waitMs >= mostMs / 2 && waitMs <= mostMs, `wait ${index} with ${draw}: ${waitMs} of ${mostMs}`);
      }
    }),
  );
});

test('two that fail at the same time do not come back at the same time', () => {
  const waits = new Set(Array.from({ length: 20 }, () => new BackOff({ firstMs: 100_000, mostMs: 100_000 }).next(0)));
  assert.ok(waits.size > 15, `${waits.size} different waits`);
});
