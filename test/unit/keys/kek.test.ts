import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { systemRandom } from '../../../src/crypto/random.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { Kek } from '../../../src/keys/kek.ts';
import { KeyRefusedError } from '../../../src/keys/key-errors.ts';
import type { KeyErrorCode } from '../../../src/keys/key-provider.ts';
import { context, eventLog, isZero, keyError, settled, TestClock, TestKeyService } from './support.ts';

function setUp() {
  const clock = new TestClock();
  const service = new TestKeyService();
  const events = eventLog();
  const { signal } = new AbortController();
  return { clock, service, events, signal, kek: new Kek(service, { clock, events }) };
}

test('every call to the key service is reported with its outcome', async () => {
  const { service, kek, events, signal } = setUp();
  const { wrapped } = await kek.makeKey(context, systemRandom, signal);
  await kek.unwrap(wrapped, context, signal);
  const codes: readonly KeyErrorCode[] = [
    'unavailable',
    'not_found',
    'outside_window',
    'denied',
    'wrong_key',
    'misconfigured',
  ];
  for (const code of codes) {
    service.fail(code);
    await assert.rejects(kek.makeKey(context, systemRandom, signal), keyError(code));
    await assert.rejects(kek.unwrap(wrapped, context, signal), keyError(code));
  }
  service.wrap = () => Promise.reject(new TypeError('a bug'));
  await assert.rejects(kek.makeKey(context, systemRandom, signal), TypeError);
  await assert.rejects(kek.makeKey(context, systemRandom, AbortSignal.abort()), TypeError);
  assert.deepEqual(events.lines, [
    'wrap main ok',
    'unwrap main ok',
    ...codes.flatMap((code) => [`wrap main ${code}`, `unwrap main ${code}`]),
    'wrap main error',
    'wrap main aborted',
  ]);
});

test('a key that was wrapped by a new version tells of a rotation before the description is old', async () => {
  const { service, kek, events, signal } = setUp();
  await kek.description();
  await kek.makeKey(context, systemRandom, signal);
  assert.equal(service.calls.describe, 1);
  const version = service.addVersion();
  await kek.makeKey(context, systemRandom, signal);
  await settled();
  assert.equal(service.calls.describe, 2);
  assert.equal(await kek.ageOf(version), 'current');
  assert.ok(
    events.lines.some((line) => line.startsWith('rotated main')),
    events.lines.join(),
  );
});

test('durations are in milliseconds', async () => {
  const { clock, service, events, signal } = setUp();
  const durations: number[] = [];
  const kek = new Kek(service, {
    clock,
    events: { ...events, wrap: ({ durationMs }) => void durations.push(durationMs) },
  });
  const release = service.hold('wrap');
  const waiting = kek.makeKey(context, systemRandom, signal);
  await delay(20);
  release();
  await waiting;
  const [durationMs = 0] = durations;
  assert.ok(durationMs > 15 && durationMs < 60_000, `${durationMs} ms`);
});

test('the longest wrapped key that an envelope can hold is sent', async () => {
  const { service, kek, signal } = setUp();
  const longest = { version: 'x'.repeat(128), ciphertext: new Uint8Array(1024) };
  await assert.rejects(kek.unwrap(longest, context, signal), keyError('not_found'));
  assert.equal(service.calls.unwrap, 1);
});

test('what no envelope can hold is not sent to the key service', async () => {
  const { service, kek, signal } = setUp();
  const { wrapped } = await kek.makeKey(context, systemRandom, signal);
  for (const change of [
    { version: '' },
    { version: 'x'.repeat(129) },
    { version: 'v\u0000' },
    { version: 'é' },
    { ciphertext: new Uint8Array(0) },
    { ciphertext: new Uint8Array(1025) },
  ]) {
    await assert.rejects(kek.unwrap({ ...wrapped, ...change }, context, signal), keyError('wrong_key'));
  }
  assert.equal(service.calls.unwrap, 0);
});

test('what comes out and is not a bucket key is refused and zeroed', async () => {
  const { service, kek, signal } = setUp();
  const { wrapped } = await kek.makeKey(context, systemRandom, signal);
  for (const length of [0, 16, 31, 33]) {
    const memory = new Uint8Array(length).fill(3);
    service.unwrap = () => Promise.resolve(new SecretBytes(memory));
    await assert.rejects(kek.unwrap(wrapped, context, signal), keyError('wrong_key'));
    assert.ok(isZero(memory));
  }
});

test('its versions are undefined while it is away, and an error where it refuses', async () => {
  const { clock, service, kek } = setUp();
  assert.deepEqual((await kek.description())?.versions, ['v1']);
  clock.pass(5000);
  service.fail('unavailable');
  assert.equal(await kek.description(), undefined);
  clock.pass(5000);
  service.fail('denied');
  // Known to be away: asked in the background, so that no request waits for a timeout.
  assert.equal(await kek.description(), undefined);
  await settled();
  await assert.rejects(kek.description(), keyError('denied'));
});

test('it is away from its first failure to answer until any answer', async () => {
  const { service, kek, signal } = setUp();
  const { wrapped } = await kek.makeKey(context, systemRandom, signal);
  assert.equal(kek.tideOver(), false);
  const answers: readonly (KeyErrorCode | undefined)[] = [
    undefined,
    'denied',
    'not_found',
    'wrong_key',
    'misconfigured',
  ];
  for (const answer of answers) {
    service.fail('unavailable');
    await assert.rejects(kek.unwrap(wrapped, context, signal));
    assert.equal(kek.tideOver(), true);
    service.fail(answer);
    await kek.unwrap(wrapped, context, signal).catch(() => {});
    assert.equal(kek.tideOver(), false, answer ?? 'ok');
  }
  // The window answers by itself.
  service.fail('unavailable');
  await assert.rejects(kek.makeKey(context, systemRandom, signal));
  service.fail('outside_window');
  await assert.rejects(kek.unwrap(wrapped, context, signal));
  assert.equal(kek.tideOver(), true);
});

test('a refusal names the key, and the version that was to be read under; an outage and the others stay as they are', async () => {
  const { service, kek, signal } = setUp();
  const { wrapped } = await kek.makeKey(context, systemRandom, signal);
  const calls = [
    [() => kek.makeKey(context, systemRandom, signal), /^key "main" cannot be used: wrap failed/],
    [() => kek.unwrap(wrapped, context, signal), /^version "v1" of key "main" cannot be used: unwrap failed/],
    [() => kek.description(signal), /^key "main" cannot be used: describe failed/],
  ] as const;
  for (const code of ['denied', 'misconfigured'] as const) {
    service.fail(code);
    for (const [call, message] of calls) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof KeyRefusedError && error.code === code);
        assert.match(error.message, message);
        assert.ok(error.publicMessage.includes('key "main"') && !error.publicMessage.includes('failed'));
        return true;
      });
    }
  }
  for (const code of ['unavailable', 'not_found', 'outside_window', 'wrong_key'] as const) {
    service.fail(code);
    await assert.rejects(kek.unwrap(wrapped, context, signal), (error) => !(error instanceof KeyRefusedError));
  }
});
