import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cacheLife } from '../../../src/keys/cache-life.ts';

const times = { ttlMs: 100, offlineTtlMs: 1000 };

const table: readonly (readonly [ageMs: number, life: string])[] = [
  [0, 'fresh'],
  [99, 'fresh'],
  [100, 'offline'],
  [1099, 'offline'],
  [1100, 'over'],
  [1e12, 'over'],
  // The clock was put back: whether the key is young or old is not known, so the key service is asked.
  [-1, 'offline'],
];

for (const [ageMs, life] of table) {
  test(`a key of ${ageMs} ms is ${life}`, () => {
    assert.equal(cacheLife(5_000, 5_000 + ageMs, times), life);
  });
}

test('without ttl no key is fresh, without offline ttl none is used offline', () => {
  assert.equal(cacheLife(0, 0, { ttlMs: 0, offlineTtlMs: 10 }), 'offline');
  assert.equal(cacheLife(0, 10, { ttlMs: 10, offlineTtlMs: 0 }), 'over');
  assert.equal(cacheLife(0, 0, { ttlMs: 0, offlineTtlMs: 0 }), 'over');
});
