import assert from 'node:assert/strict';
import { test } from 'node:test';

import { systemRandom } from '../../../src/crypto/random.ts';
import { BucketKeys, type BucketKeyLimits } from '../../../src/keys/bucket-keys.ts';
import { Kek } from '../../../src/keys/kek.ts';
import { context, eventLog, isZero, keyError, settled, TestClock, TestKeyService } from './support.ts';

const times = { ttlMs: 60_000, offlineTtlMs: 600_000 };
const roomy: BucketKeyLimits = { maxObjects: 1000, maxBytes: 1_000_000 };

function setUp({ limits = roomy, ttl = times, maxEntries = 100 } = {}) {
  const clock = new TestClock();
  const service = new TestKeyService();
  const events = eventLog();
  const kek = new Kek(service, { clock, events });
  const made: string[] = [];
  const keys = new BucketKeys({
    times: ttl,
    limits,
    maxEntries,
    clock,
    events,
    random: systemRandom,
    onMade: ({ wrapped }) => void made.push(hex(wrapped.ciphertext)),
  });
  /** The wrapped form of the key that one object of so many bytes gets. */
  const use = (bytes = 0, { bucket = 'logs', signal }: { bucket?: string; signal?: AbortSignal } = {}) =>
    keys.withKey({ kek, context: { ...context, bucket }, bytes }, (_, { ciphertext }) => hex(ciphertext), signal);
  return { clock, service, events, kek, keys, made, use };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('objects share a bucket key, which the key service wrapped once', async () => {
  const { service, use, events, made } = setUp();
  const wrapped = await Promise.all(Array.from({ length: 100 }, () => use()));
  wrapped.push(await use());
  assert.equal(new Set(wrapped).size, 1);
  assert.deepEqual(made, wrapped.slice(0, 1));
  assert.equal(service.calls.wrap, 1);
  assert.deepEqual(events.lines.slice(-2), ['wrap main ok', 'hit main wrap']);
  assert.equal(events.lines.filter((line) => line === 'miss main wrap').length, 100);
});

test('the key that is used is the one that was wrapped', async () => {
  const { service, kek, keys } = setUp();
  await keys.withKey({ kek, context, bytes: 0 }, async (key, wrapped) => {
    const ours = hex(key.bytes);
    using opened = await service.unwrap(wrapped, context);
    assert.equal(hex(opened.bytes), ours);
    assert.ok(!isZero(opened.bytes));
  });
});

test('buckets, policies and key-encryption keys have bucket keys of their own', async () => {
  const { service, kek, keys, use, clock, events } = setUp();
  const other = new Kek(new TestKeyService('other'), { clock, events });
  const wrapped = [
    await use(),
    await use(0, { bucket: 'logs2' }),
    await keys.withKey({ kek, context: { ...context, policy: 'p2' }, bytes: 0 }, (_, { ciphertext }) =>
      hex(ciphertext),
    ),
    await keys.withKey({ kek: other, context, bytes: 0 }, (_, { ciphertext }) => hex(ciphertext)),
  ];
  assert.equal(new Set(wrapped).size, 4);
  assert.equal(service.calls.wrap, 3);
});

test('a bucket key serves for its ttl, which counts from when it was asked for', async () => {
  const { clock, service, use } = setUp();
  const release = service.hold('wrap');
  const first = use();
  await settled();
  clock.pass(1000);
  release();
  const key = await first;
  clock.pass(times.ttlMs - 1001);
  assert.equal(await use(), key);
  clock.pass(1);
  assert.notEqual(await use(), key);
  assert.ok(isZero(service.wrappedMemory[0] ?? Buffer.of(1)));
});

test('a bucket key serves so many objects, also when they come at once', async () => {
  for (const atOnce of [false, true]) {
    const { service, use } = setUp({ limits: { ...roomy, maxObjects: 3 } });
    const wrapped = atOnce ? await Promise.all(Array.from({ length: 10 }, () => use())) : [];
    while (wrapped.length < 10) wrapped.push(await use());
    const counts = [...Map.groupBy(wrapped, (key) => key).values()].map(({ length }) => length);
    assert.deepEqual(counts, [3, 3, 3, 1]);
    assert.equal(service.calls.wrap, 4);
  }
});

test('a bucket key serves so many bytes; an object that is larger has one of its own', async () => {
  const { use } = setUp({ limits: { ...roomy, maxBytes: 100 } });
  const sizes = [60, 40, 1, 99, 101, 5, 95, 0, 1];
  const wrapped: string[] = [];
  for (const size of sizes) wrapped.push(await use(size));
  const sums = [...Map.groupBy(wrapped.keys(), (index) => wrapped[index]).values()].map((indexes) =>
    indexes.reduce((sum, index) => sum + (sizes[index] ?? 0), 0),
  );
  for (const sum of sums) assert.ok(sum <= 101, `${sum}`);
  assert.equal(wrapped[0], wrapped[1]);
  assert.equal(wrapped[2], wrapped[3]);
  assert.equal(wrapped.filter((key) => key === wrapped[4]).length, 1, 'beyond the limit, alone');
  assert.equal(wrapped[5], wrapped[6]);
});

test('maxObjects 1 gives each object a bucket key of its own, which is zeroed after use', async () => {
  const { service, use } = setUp({ limits: { ...roomy, maxObjects: 1 } });
  const wrapped = await Promise.all([use(), use(), use()]);
  wrapped.push(await use());
  assert.equal(new Set(wrapped).size, 4);
  assert.deepEqual(service.wrappedMemory.map(isZero), [true, true, true, true]);
});

test('limits that bound nothing are refused, and so are more wraps than random nonces allow', () => {
  const refused: readonly BucketKeyLimits[] = [
    { ...roomy, maxObjects: 2 ** 31 + 1 },
    { ...roomy, maxObjects: 2 ** 32 },
    { ...roomy, maxObjects: 0 },
    { ...roomy, maxObjects: Number.NaN },
    { ...roomy, maxObjects: Number.POSITIVE_INFINITY },
    { ...roomy, maxObjects: 1.5 },
    { ...roomy, maxBytes: 0 },
    { ...roomy, maxBytes: Number.NaN },
    { ...roomy, maxBytes: Number.POSITIVE_INFINITY },
  ];
  for (const limits of refused)
    assert.throws(() => setUp({ limits }), keyError('misconfigured'), JSON.stringify(limits));
  setUp({ limits: { maxObjects: 2 ** 31, maxBytes: 2 ** 50 } });
  setUp({ limits: { maxObjects: 1, maxBytes: 1 } });
});

test('a rotation is followed within seconds, and told of once', async () => {
  const { clock, service, use, events } = setUp();
  const old = await use();
  service.addVersion();
  clock.pass(5000);
  assert.notEqual(await use(), old);
  await use();
  assert.deepEqual(
    events.lines.filter((line) => line.startsWith('rotated')),
    ['rotated main v1 v2'],
  );
  assert.equal(service.calls.wrap, 2);
  await use();
  assert.equal(service.calls.wrap, 2);
});

test('a key that was made after the versions were asked for is current, whatever they said', async () => {
  const { service, use } = setUp();
  await use(0, { bucket: 'asks for the versions' });
  service.addVersion();
  const fresh = await use();
  assert.equal(await use(), fresh);
});

test('while the key service is away the bucket key serves until its offline ttl', async () => {
  const { clock, service, use, events } = setUp();
  const key = await use();
  service.fail('unavailable');
  clock.pass(times.ttlMs);
  assert.equal(await use(), key);
  assert.ok(events.lines.includes('offline main wrap'));
  clock.pass(times.offlineTtlMs - 1);
  assert.equal(await use(), key);
  clock.pass(1);
  await assert.rejects(use(), keyError('unavailable'));
});

test('offline it serves although the service cannot say whether its version is current', async () => {
  const { clock, service, use } = setUp();
  const key = await use();
  service.fail('unavailable');
  clock.pass(10_000);
  assert.equal(await use(), key);
  assert.equal(service.calls.wrap, 1);
});

test('where the service describes but does not wrap, a bucket key past its ttl serves', async () => {
  const { clock, service, use } = setUp();
  const key = await use();
  service.failures.wrap = 'unavailable';
  clock.pass(times.ttlMs);
  assert.equal(await use(), key);
  assert.equal(service.calls.wrap, 2);
});

test('offline too it serves no more objects and bytes than it may', async () => {
  const { clock, service, use } = setUp({ limits: { maxObjects: 3, maxBytes: 100 } });
  await use();
  service.fail('unavailable');
  clock.pass(times.ttlMs);
  await use();
  await assert.rejects(use(101), keyError('unavailable'));
  await use();
  await assert.rejects(use(), keyError('unavailable'));
});

test('a key that the service refuses to wrap with does not come back in the next outage', async () => {
  for (const call of ['describe', 'wrap'] as const) {
    const { clock, service, use } = setUp();
    await use();
    clock.pass(times.ttlMs);
    service.failures[call] = 'denied';
    await assert.rejects(use(), keyError('denied'));
    assert.ok(isZero(service.wrappedMemory[0] ?? Buffer.of(1)), call);
    service.fail('unavailable');
    await assert.rejects(use(), keyError('unavailable'));
  }
});

test('a failure is not kept', async () => {
  const { service, use } = setUp();
  service.failures.wrap = 'unavailable';
  await assert.rejects(use(), keyError('unavailable'));
  service.fail(undefined);
  assert.match(await use(), /^[0-9a-f]{120}$/);
  assert.deepEqual(service.wrappedMemory.map(isZero), [true, false]);
});

test('a caller who leaves fails alone', async () => {
  const { service, use } = setUp();
  const release = service.hold('wrap');
  const leaver = new AbortController();
  const left = use(0, leaver);
  const stays = use(0, new AbortController());
  await settled();
  const reason = new Error('the client has left');
  leaver.abort(reason);
  await assert.rejects(left, (error) => error === reason);
  assert.equal(service.signals.at(-1)?.aborted, false);
  release();
  assert.equal(await stays, await use());
  assert.equal(service.calls.wrap, 1);
});

test('when all callers have left, the call is ended; who comes then gets a key all the same', async () => {
  for (const failure of [undefined, 'unavailable'] as const) {
    const { service, use } = setUp();
    const release = service.hold('wrap');
    const leaver = new AbortController();
    const left = Promise.allSettled([use(0, leaver), use(0, leaver)]);
    await settled();
    leaver.abort();
    await left;
    assert.equal(service.signals.at(-1)?.aborted, true);
    const next = use(0);
    await settled();
    if (failure === undefined) {
      release();
      assert.equal(await use(0), await next);
    } else {
      service.failures.wrap = failure;
      release();
      await assert.rejects(next, keyError(failure));
      assert.deepEqual(service.wrappedMemory.map(isZero), [true, true]);
    }
  }
});

test('buckets beyond the bound lose the key of the one that wrote least recently, zeroed', async () => {
  const { service, use } = setUp({ maxEntries: 2 });
  const a = await use(0, { bucket: 'a' });
  await use(0, { bucket: 'b' });
  assert.equal(await use(0, { bucket: 'a' }), a);
  await use(0, { bucket: 'c' });
  assert.deepEqual(service.wrappedMemory.map(isZero), [false, true, false]);
  assert.equal(await use(0, { bucket: 'a' }), a);
});

test('a bucket that is pushed out while it waits for a new key has no old one to fall back on, and says why', async () => {
  const { clock, service, use } = setUp({ maxEntries: 1 });
  await use(0, { bucket: 'a' });
  clock.pass(times.ttlMs);
  const release = service.hold('wrap');
  const waiting = use(0, { bucket: 'a' });
  await settled();
  const other = use(0, { bucket: 'b' });
  await settled();
  assert.ok(isZero(service.wrappedMemory[0] ?? Buffer.of(1)));
  service.failures.wrap = 'unavailable';
  release();
  await assert.rejects(waiting, keyError('unavailable'));
  await assert.rejects(other, keyError('unavailable'));
});

test('a sweep zeroes the keys of buckets that nobody writes to any more', async () => {
  const { clock, service, keys, use } = setUp();
  await use(0, { bucket: 'old' });
  clock.pass(times.ttlMs + times.offlineTtlMs - 1);
  const young = await use(0, { bucket: 'young' });
  keys.sweep();
  assert.deepEqual(service.wrappedMemory.map(isZero), [false, false]);
  clock.pass(1);
  keys.sweep();
  assert.deepEqual(service.wrappedMemory.map(isZero), [true, false]);
  assert.equal(await use(0, { bucket: 'young' }), young);
  assert.match(await use(0, { bucket: 'old' }), /^[0-9a-f]{120}$/);
});

test('a sweep leaves a bucket whose key is being made', async () => {
  const { service, keys, use } = setUp();
  const release = service.hold('wrap');
  const waiting = use();
  await settled();
  keys.sweep();
  release();
  assert.equal(await use(), await waiting);
  assert.equal(service.calls.wrap, 1);
});

test('once closed it keeps no key beyond its use', async () => {
  const { service, keys, use } = setUp();
  keys.close();
  await use();
  assert.deepEqual(service.wrappedMemory.map(isZero), [true]);
});

test('closing zeroes the keys, and one that comes later is zeroed when its users are done', async () => {
  const { clock, service, keys, use } = setUp();
  await use();
  clock.pass(times.ttlMs - 1);
  await use();
  clock.pass(1);
  const release = service.hold('wrap');
  const waiting = use(0, { bucket: 'b' });
  await settled();
  keys.close();
  release();
  assert.match(await waiting, /^[0-9a-f]{120}$/);
  assert.deepEqual(service.wrappedMemory.map(isZero), [true, true]);
});

test('when the clock is put back a new key is made once, not for every object', async () => {
  const { clock, service, use } = setUp();
  const old = await use();
  clock.pass(-3_600_000);
  const fresh = await use();
  assert.notEqual(fresh, old);
  assert.equal(await use(), fresh);
  assert.equal(service.calls.wrap, 2);
});

test('of two keys that are made at once for lack of room the later one stays', async () => {
  const { service, use } = setUp({ limits: { maxObjects: 2, maxBytes: 100 } });
  await use(100);
  await use(100);
  const release = service.hold('wrap');
  const pending = [use(100), use(1)];
  await settled();
  release();
  const [large, small] = await Promise.all(pending);
  assert.notEqual(large, small);
  assert.equal(await use(1), small);
});

test('a key that was asked for earlier does not take the place of one that came before it', async () => {
  const { service, use } = setUp({ limits: { maxObjects: 10, maxBytes: 100 } });
  const releaseFirst = service.hold('wrap');
  const first = use(60);
  await settled();
  const releaseSecond = service.hold('wrap');
  const second = use(50);
  await settled();
  releaseSecond();
  const kept = await second;
  releaseFirst();
  assert.notEqual(await first, kept);
  assert.equal(await use(1), kept);
  assert.deepEqual(service.wrappedMemory.map(isZero), [true, false]);
});

test('keys that no envelope could hold are refused, and none is used', async () => {
  const { service, keys, kek } = setUp();
  const real = service.wrap.bind(service);
  const bad = [
    { version: '' },
    { version: 'x'.repeat(129) },
    { version: 'vé' },
    { version: 'v\n1' },
    { ciphertext: new Uint8Array(0) },
    { ciphertext: new Uint8Array(1025) },
  ];
  for (const change of bad) {
    service.wrap = async (...call) => ({ ...(await real(...call)), ...change });
    await assert.rejects(
      keys.withKey({ kek, context, bytes: 0 }, () => assert.fail('was used')),
      keyError('misconfigured'),
    );
  }
  service.wrap = async (...call) => ({ ...(await real(...call)), version: 'x'.repeat(128) });
  assert.equal(await keys.withKey({ kek, context, bytes: 0 }, (_, { version }) => version.length), 128);
});
