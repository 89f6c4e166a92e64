import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { Kek } from '../../../src/keys/kek.ts';
import { OpenedKeys, type OpenRequest } from '../../../src/keys/opened-keys.ts';
import { context, eventLog, isZero, keyError, settled, TestClock, TestKeyService } from './support.ts';

const times = { ttlMs: 60_000, offlineTtlMs: 600_000 };

function setUp({ maxEntries = 100, ttl = times }: { maxEntries?: number; ttl?: typeof times } = {}) {
  const clock = new TestClock();
  const service = new TestKeyService();
  const events = eventLog();
  const kek = new Kek(service, { clock, events });
  const keys = new OpenedKeys({ times: ttl, maxEntries, clock, events });
  /** A bucket key that another replica made. */
  const made = async (fill = 1): Promise<OpenRequest> => {
    using key = new SecretBytes(new Uint8Array(32).fill(fill));
    return { kek, context, wrapped: await service.wrap(key, context) };
  };
  const open = (request: OpenRequest, signal?: AbortSignal) =>
    keys.withKey(request, (key) => Buffer.from(key.bytes).toString('hex'), signal);
  return { clock, service, events, kek, keys, made, open };
}

const ones = '01'.repeat(32);

test('a key is unwrapped once and then at hand', async () => {
  const { service, made, open, events } = setUp();
  const request = await made();
  for (let count = 0; count < 5; count++) assert.equal(await open(request), ones);
  assert.equal(service.calls.unwrap, 1);
  assert.deepEqual(events.lines, ['miss main unwrap', 'unwrap main ok', ...Array<string>(4).fill('hit main unwrap')]);
});

test('100 callers at once cost one call, and all get the key', async () => {
  const { service, made, open } = setUp();
  const request = await made();
  const release = service.hold('unwrap');
  const answers = Array.from({ length: 100 }, () => open(request, new AbortController().signal));
  await settled();
  release();
  assert.deepEqual(await Promise.all(answers), Array<string>(100).fill(ones));
  assert.equal(service.calls.unwrap, 1);
});

test('a failure fails all who wait for it, and nobody who comes later', async () => {
  const { service, made, open } = setUp();
  const request = await made();
  for (const code of ['unavailable', 'denied', 'wrong_key', 'outside_window'] as const) {
    service.fail(code);
    const answers = await Promise.allSettled([open(request), open(request), open(request)]);
    for (const answer of answers) assert.ok(answer.status === 'rejected' && keyError(code)(answer.reason));
  }
  assert.equal(service.calls.unwrap, 4);
  service.fail(undefined);
  assert.equal(await open(request), ones);
  assert.equal(await open(request), ones);
  assert.equal(service.calls.unwrap, 5);
});

test('a caller who leaves fails alone', async () => {
  const { service, made, open } = setUp();
  const request = await made();
  const release = service.hold('unwrap');
  const leaver = new AbortController();
  const left = open(request, leaver.signal);
  const stays = open(request, new AbortController().signal);
  await settled();
  const reason = new Error('the client has left');
  leaver.abort(reason);
  await assert.rejects(left, (error) => error === reason);
  assert.equal(service.signals.at(-1)?.aborted, false);
  release();
  assert.equal(await stays, ones);
  assert.equal(service.calls.unwrap, 1);
});

test('when all callers have left, the call is ended, and an answer that comes all the same is zeroed', async () => {
  const { service, made, open } = setUp();
  const request = await made();
  const release = service.hold('unwrap');
  const leaver = new AbortController();
  const left = Promise.allSettled([open(request, leaver.signal), open(request, leaver.signal)]);
  await settled();
  leaver.abort();
  await left;
  assert.equal(service.signals.at(-1)?.aborted, true);
  release();
  await settled();
  const [memory] = service.openedMemory;
  assert.ok(memory !== undefined && isZero(memory));
  assert.equal(await open(request), ones);
  assert.equal(service.calls.unwrap, 2);
});

test('past its ttl a key is unwrapped anew, and the old memory zeroed', async () => {
  const { clock, service, made, open } = setUp();
  const request = await made();
  await open(request);
  clock.pass(times.ttlMs - 1);
  await open(request);
  assert.equal(service.calls.unwrap, 1);
  clock.pass(1);
  await open(request);
  assert.equal(service.calls.unwrap, 2);
  const [first, second] = service.openedMemory;
  assert.ok(first !== undefined && isZero(first));
  assert.ok(second !== undefined && !isZero(second));
});

test('the ttl counts from when the key service was asked, not from its answer', async () => {
  const { clock, service, made, open } = setUp();
  const request = await made();
  const release = service.hold('unwrap');
  const first = open(request);
  await settled();
  clock.pass(times.ttlMs);
  release();
  await first;
  await open(request);
  assert.equal(service.calls.unwrap, 2);
});

test('while the key service is away a key serves until its offline ttl has passed too', async () => {
  const { clock, service, made, open, events } = setUp();
  const request = await made();
  await open(request);
  service.fail('unavailable');
  clock.pass(times.ttlMs);
  assert.equal(await open(request), ones);
  clock.pass(times.offlineTtlMs - 1);
  assert.equal(await open(request), ones);
  assert.deepEqual(events.lines.slice(2), [
    'miss main unwrap',
    'unwrap main unavailable',
    'offline main unwrap',
    'offline main unwrap',
  ]);
  clock.pass(1);
  await assert.rejects(open(request), keyError('unavailable'));
});

test('while it is away it is not asked for every read, and the first answer ends that', async () => {
  const { clock, service, made, open } = setUp();
  const request = await made();
  await open(request);
  service.fail('unavailable');
  clock.pass(times.ttlMs);
  for (let count = 0; count < 50; count++) await open(request);
  assert.equal(service.calls.unwrap, 2);
  assert.equal(service.calls.describe, 0);
  clock.pass(5_000);
  for (let count = 0; count < 50; count++) await open(request);
  await settled();
  assert.equal(service.calls.describe, 1);
  service.fail(undefined);
  clock.pass(5_000);
  await open(request);
  await settled();
  await open(request);
  assert.equal(service.calls.unwrap, 3);
});

test('a key that the service refuses is forgotten, so that the next outage does not bring it back', async () => {
  const { clock, service, made, open } = setUp();
  const request = await made();
  await open(request);
  clock.pass(times.ttlMs);
  service.fail('denied');
  await assert.rejects(open(request), keyError('denied'));
  const [memory] = service.openedMemory;
  assert.ok(memory !== undefined && isZero(memory));
  service.fail('unavailable');
  await assert.rejects(open(request), keyError('unavailable'));
});

test('a service that is back and refuses is not taken for one that is still away', async () => {
  const { clock, service, made, open } = setUp();
  const request = await made();
  await open(request);
  clock.pass(times.ttlMs);
  service.fail('unavailable');
  await open(request);
  service.fail('denied');
  clock.pass(5_000);
  // Asked in the background while this read is still served.
  await open(request);
  await settled();
  await assert.rejects(open(request), keyError('denied'));
});

test('a key is not zeroed under a request that uses it', async () => {
  const { keys, made, service } = setUp({ maxEntries: 1 });
  const [first, second] = [await made(1), await made(2)];
  await keys.withKey(first, (key) => {
    keys.remember(second, SecretBytes.copyOf(new Uint8Array(32).fill(2)), 0);
    keys.close();
    assert.equal(Buffer.from(key.bytes).toString('hex'), ones);
  });
  const [memory] = service.openedMemory;
  assert.ok(memory !== undefined && isZero(memory));
});

test('the least recently used key goes first, and is zeroed', async () => {
  const { service, made, open } = setUp({ maxEntries: 2 });
  const [a, b, c] = [await made(1), await made(2), await made(3)];
  await open(a);
  await open(b);
  await open(a);
  await open(c);
  assert.deepEqual(service.openedMemory.map(isZero), [false, true, false]);
  await open(a);
  assert.equal(service.calls.unwrap, 3);
  await open(b);
  assert.equal(service.calls.unwrap, 4);
  await open(b);
  assert.equal(service.calls.unwrap, 4);
});

test('what does not open pushes nothing out', async () => {
  const { clock, service, made, open } = setUp({ maxEntries: 2 });
  const [a, b] = [await made(1), await made(2)];
  await open(a);
  await open(b);
  const wrong = Array.from({ length: 20 }, (_, index) => ({
    ...a,
    wrapped: { ...a.wrapped, ciphertext: new Uint8Array(60).fill(index) },
  }));
  await Promise.all(wrong.map((request) => assert.rejects(open(request), keyError('wrong_key'))));
  service.fail('unavailable');
  clock.pass(1);
  await Promise.all(wrong.map((request) => assert.rejects(open(request), keyError('unavailable'))));
  service.fail(undefined);
  const before = service.calls.unwrap;
  await open(a);
  await open(b);
  assert.equal(service.calls.unwrap, before);
});

test('keys are told apart by key name, version, ciphertext and context', async () => {
  const { service, kek, keys, made, open, clock, events } = setUp();
  const request = await made();
  await open(request);
  const others: readonly OpenRequest[] = [
    { ...request, context: { ...context, bucket: 'logs2' } },
    { ...request, context: { policy: 'tenant-alogs', bucket: '' } },
    { ...request, wrapped: { ...request.wrapped, version: 'v2' } },
    { ...request, wrapped: { ...request.wrapped, ciphertext: request.wrapped.ciphertext.map((byte) => byte ^ 1) } },
    { ...request, kek: new Kek(new TestKeyService('other'), { clock, events }) },
    // Joined without lengths, name and version would be the same text.
    {
      ...request,
      kek: new Kek(new TestKeyService('mainv'), { clock, events }),
      wrapped: { ...request.wrapped, version: '1' },
    },
  ];
  for (const other of others)
    await assert.rejects(open(other), keyError(other.wrapped.version === 'v1' ? 'wrong_key' : 'not_found'));
  // The same bytes elsewhere in memory are the same key.
  const same = {
    kek,
    context: { ...context },
    wrapped: { ...request.wrapped, ciphertext: Buffer.from(request.wrapped.ciphertext) },
  };
  const before = service.calls.unwrap;
  assert.equal(await keys.withKey(same, (key) => key.bytes.length), 32);
  assert.equal(service.calls.unwrap, before);
});

test('a remembered key needs no call, is a copy, and lives as long as one that was unwrapped', async () => {
  const { clock, service, keys, made, open } = setUp();
  const request = await made();
  const key = new SecretBytes(new Uint8Array(32).fill(1));
  keys.remember(request, key, clock.now() - 1000);
  key.dispose();
  assert.equal(await open(request), ones);
  assert.equal(service.calls.unwrap, 0);
  clock.pass(times.ttlMs - 1000);
  await open(request);
  assert.equal(service.calls.unwrap, 1);
});

test('a sweep zeroes what can serve no more and nothing else', async () => {
  const { clock, service, keys, made, open } = setUp();
  const [old, young] = [await made(1), await made(2)];
  await open(old);
  clock.pass(times.ttlMs + times.offlineTtlMs - 1);
  await open(young);
  keys.sweep();
  assert.deepEqual(service.openedMemory.map(isZero), [false, false]);
  clock.pass(1);
  keys.sweep();
  assert.deepEqual(service.openedMemory.map(isZero), [true, false]);
});

test('a sweep leaves a key that is being unwrapped anew to those who wait', async () => {
  const { clock, service, keys, made, open } = setUp();
  const request = await made();
  await open(request);
  clock.pass(times.ttlMs + times.offlineTtlMs);
  const release = service.hold('unwrap');
  const waiting = open(request);
  await settled();
  keys.sweep();
  release();
  assert.equal(await waiting, ones);
  assert.equal(await open(request), ones);
  assert.equal(service.calls.unwrap, 2);
});

test('closing zeroes what is there and what is still to come, and keeps nothing afterwards', async () => {
  const { service, keys, made, open } = setUp();
  const [first, second] = [await made(1), await made(2)];
  await open(first);
  const release = service.hold('unwrap');
  const waiting = open(second);
  await settled();
  keys.close();
  release();
  assert.equal(await waiting, '02'.repeat(32));
  await settled();
  assert.deepEqual(service.openedMemory.map(isZero), [true, true]);
});

test('what the user throws reaches the caller, and the key stays', async () => {
  const { service, keys, made, open } = setUp();
  const request = await made();
  const failure = new Error('no');
  const use = () => {
    throw failure;
  };
  await assert.rejects(keys.withKey(request, use), (error) => error === failure);
  await open(request);
  assert.equal(service.calls.unwrap, 1);
});
