import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DescriptionCache } from '../../../src/keys/description-cache.ts';
import { keyError, settled, TestClock, TestKeyService } from './support.ts';

function setUp() {
  const clock = new TestClock();
  const service = new TestKeyService();
  return { clock, service, cache: new DescriptionCache(service, { clock, ttlMs: 5000 }) };
}

test('a description is kept for its ttl and says when it was asked for', async () => {
  const { clock, service, cache } = setUp();
  const askedAtMs = clock.now();
  assert.deepEqual(await cache.get(), { versions: ['v1'], askedAtMs });
  await cache.get();
  assert.equal(service.calls.describe, 1);
  service.addVersion();
  clock.pass(4999);
  assert.deepEqual(await cache.get(), { versions: ['v1'], askedAtMs });
  clock.pass(1);
  assert.deepEqual(await cache.get(), { versions: ['v2', 'v1'], askedAtMs: askedAtMs + 5000 });
  assert.equal(service.calls.describe, 2);
});

test('a clock that was put back does not make it last longer', async () => {
  const { clock, service, cache } = setUp();
  await cache.get();
  clock.pass(-1);
  await cache.get();
  assert.equal(service.calls.describe, 2);
});

test('callers at once share one call', async () => {
  const { service, cache } = setUp();
  const release = service.hold('describe');
  const answers = Array.from({ length: 10 }, () => cache.get());
  await settled();
  release();
  for (const { versions } of await Promise.all(answers)) assert.deepEqual(versions, ['v1']);
  assert.equal(service.calls.describe, 1);
});

test('who comes while a call is under way takes its answer, which is new enough', async () => {
  const { clock, service, cache } = setUp();
  const release = service.hold('describe');
  const answers = Array.from({ length: 5 }, () => {
    clock.pass(1);
    return cache.get();
  });
  await settled();
  release();
  await Promise.all(answers);
  assert.equal(service.calls.describe, 1);
});

test('how long it is kept is the provider’s to say', async () => {
  const { clock, service } = setUp();
  const slow = Object.assign(service.replica(), { describeTtlMs: 60_000 });
  const cache = new DescriptionCache(slow, { clock });
  await cache.get();
  clock.pass(59_999);
  await cache.get();
  assert.equal(slow.calls.describe, 1);
  clock.pass(1);
  await cache.get();
  assert.equal(slow.calls.describe, 2);
});

test('a refresh does not content itself with a call that was under way before', async () => {
  const { clock, service, cache } = setUp();
  const release = service.hold('describe');
  const early = cache.get();
  await settled();
  clock.pass(1);
  const refreshed = cache.refresh();
  await settled();
  assert.equal(service.calls.describe, 1);
  release();
  assert.equal((await early).askedAtMs + 1, (await refreshed).askedAtMs);
  assert.equal(service.calls.describe, 2);
});

test('a failure is not kept', async () => {
  const { clock, service, cache } = setUp();
  await cache.get();
  clock.pass(5000);
  service.fail('unavailable');
  await assert.rejects(cache.get(), keyError('unavailable'));
  service.fail(undefined);
  await cache.get();
  assert.equal(service.calls.describe, 3);
});
