import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { DataKeys, type DataKeysSettings, type WrappedDataKey } from '../../../src/keys/data-keys.ts';
import { KeyError, type KeyProvider } from '../../../src/keys/key-provider.ts';
import { context, eventLog, isZero, keyError, settled, TestClock, TestKeyService } from './support.ts';

const settings: DataKeysSettings = { ttlMs: 300_000, offlineTtlMs: 3_600_000, maxObjects: 100_000, maxBytes: 2 ** 40 };
const aad = Buffer.from('bucket, key, commitment');

function setUp(changed: Partial<DataKeysSettings> = {}, services: readonly TestKeyService[] = [new TestKeyService()]) {
  const clock = new TestClock();
  const metrics = eventLog();
  const providers = new Map<string, KeyProvider>(services.map((service) => [service.name, service]));
  const replica = () => new DataKeys(providers, { ...settings, ...changed }, { clock, metrics });
  const [service = new TestKeyService()] = services;
  return { clock, metrics, service, keys: replica(), replica };
}

const request = { keyName: 'main', context, aad, bytes: 10 };

function dekOf(fill = 42): SecretBytes {
  return new SecretBytes(new Uint8Array(32).fill(fill));
}

test('a data key comes back on another replica with nothing but its wrapped form', async () => {
  const { keys, replica, service } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  assert.deepEqual(
    { ...wrapped, wrappedDek: wrapped.wrappedDek.length, wrappedBucketKey: wrapped.wrappedBucketKey.length },
    { kekName: 'main', kekVersion: 'v1', wrappedDek: 60, wrappedBucketKey: 60 },
  );
  using opened = await replica().unwrap(wrapped, { context, aad });
  assert.ok(opened.equals(dek));
  assert.equal(service.calls.unwrap, 1);
});

test('the replica that wrapped needs no call to read', async () => {
  const { keys, service } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  using opened = await keys.unwrap(wrapped, { context, aad });
  assert.ok(opened.equals(dek));
  assert.deepEqual(service.calls, { describe: 1, wrap: 1, unwrap: 0 });
});

test('no two wraps share a nonce or a ciphertext', async () => {
  const { keys } = setUp();
  using dek = dekOf();
  const nonces = new Set<string>();
  for (let count = 0; count < 1000; count++) {
    const { wrappedDek } = await keys.wrap(dek, request);
    nonces.add(Buffer.from(wrappedDek.subarray(0, 12)).toString('hex'));
  }
  assert.equal(nonces.size, 1000);
});

test('a data key opens in no other place, in no other context, and not when anything of it was altered', async () => {
  const { keys, replica } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  const place = { context, aad };
  const refused: readonly (readonly [WrappedDataKey, typeof place])[] = [
    [wrapped, { context, aad: Buffer.from('bucket, other key, commitment') }],
    [wrapped, { context, aad: Buffer.alloc(0) }],
    [wrapped, { context: { ...context, bucket: 'logs2' }, aad }],
    [wrapped, { context: { ...context, policy: 'tenant-b' }, aad }],
    ...[0, 11, 12, 43, 44, 59].map(
      (at) => [{ ...wrapped, wrappedDek: flipped(wrapped.wrappedDek, at) }, place] as const,
    ),
    ...[0, 30, 59].map(
      (at) => [{ ...wrapped, wrappedBucketKey: flipped(wrapped.wrappedBucketKey, at) }, place] as const,
    ),
    [{ ...wrapped, wrappedDek: wrapped.wrappedDek.subarray(1) }, place],
    [{ ...wrapped, wrappedDek: Buffer.concat([wrapped.wrappedDek, Buffer.of(0)]) }, place],
    [{ ...wrapped, wrappedDek: new Uint8Array(0) }, place],
    [{ ...wrapped, wrappedBucketKey: new Uint8Array(0) }, place],
    [{ ...wrapped, kekVersion: '' }, place],
  ];
  for (const subject of [keys, replica()]) {
    for (const [altered, where] of refused) {
      await assert.rejects(subject.unwrap(altered, where), keyError('wrong_key'));
    }
    await assert.rejects(subject.unwrap({ ...wrapped, kekVersion: 'v2' }, place), keyError('not_found'));
    using opened = await subject.unwrap(wrapped, place);
    assert.ok(opened.equals(dek));
  }
});

test('the wrapped key of one object is of no use for another under the same bucket key', async () => {
  const { keys } = setUp();
  const [first, second] = [Buffer.from('first'), Buffer.from('second')];
  const a = await keys.wrap(dekOf(1), { ...request, aad: first });
  const b = await keys.wrap(dekOf(2), { ...request, aad: second });
  assert.deepEqual(a.wrappedBucketKey, b.wrappedBucketKey);
  await assert.rejects(keys.unwrap({ ...a, wrappedDek: b.wrappedDek }, { context, aad: first }), keyError('wrong_key'));
});

test('a key that is not configured is named, with what to do', async () => {
  const { keys } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  for (const promise of [
    keys.wrap(dek, { ...request, keyName: 'gone' }),
    keys.unwrap({ ...wrapped, kekName: 'gone' }, { context, aad }),
  ]) {
    await assert.rejects(promise, (error: unknown) => {
      assert.ok(error instanceof KeyError && error.code === 'not_found');
      assert.match(error.message, /no key "gone" is configured: add it under `keys:`/);
      return true;
    });
  }
});

test('each key is asked for what is under it', async () => {
  const services = [new TestKeyService('main'), new TestKeyService('other')];
  const { keys, replica } = setUp({}, services);
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, { ...request, keyName: 'other' });
  using opened = await replica().unwrap(wrapped, { context, aad });
  assert.ok(opened.equals(dek));
  assert.deepEqual(
    services.map(({ calls }) => calls.unwrap),
    [0, 1],
  );
  await assert.rejects(replica().unwrap({ ...wrapped, kekName: 'main' }, { context, aad }), keyError('wrong_key'));
});

test('the owner keeps the data key, and each reader has one of his own', async () => {
  const { keys } = setUp();
  const memory = new Uint8Array(32).fill(42);
  const dek = new SecretBytes(memory);
  const wrapped = await keys.wrap(dek, request);
  const first = await keys.unwrap(wrapped, { context, aad });
  using second = await keys.unwrap(wrapped, { context, aad });
  dek.dispose();
  first.dispose();
  assert.equal(second.bytes[0], 42);
});

test('what is not a data key, or not a number of bytes, is refused', async () => {
  const { keys } = setUp();
  await assert.rejects(keys.wrap(new SecretBytes(new Uint8Array(31)), request), RangeError);
  await assert.rejects(keys.wrap(new SecretBytes(new Uint8Array(33)), request), RangeError);
  for (const bytes of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(keys.wrap(dekOf(), { ...request, bytes }), RangeError, `${bytes}`);
  }
});

test('an aborted signal ends the call with its reason', async () => {
  const { keys, service } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  const reason = new Error('the client has left');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(keys.wrap(dek, request, signal), (error) => error === reason);
  await assert.rejects(keys.unwrap(wrapped, { context, aad }, signal), (error) => error === reason);
  assert.deepEqual(service.calls, { describe: 1, wrap: 1, unwrap: 0 });
});

test('through an outage writing and reading go on for the offline ttl, then fail as unavailable', async () => {
  const { clock, service, keys, replica, metrics } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  const reader = replica();
  await reader.unwrap(wrapped, { context, aad });
  service.fail('unavailable');
  clock.pass(settings.ttlMs + settings.offlineTtlMs - 1);
  const during = await keys.wrap(dek, request);
  for (const subject of [keys, reader]) {
    using opened = await subject.unwrap(during, { context, aad });
    assert.ok(opened.equals(dek));
  }
  assert.ok(metrics.lines.includes('offline main wrap') && metrics.lines.includes('offline main unwrap'));
  clock.pass(1);
  await assert.rejects(keys.wrap(dek, request), keyError('unavailable'));
  await assert.rejects(keys.unwrap(wrapped, { context, aad }), keyError('unavailable'));
  await assert.rejects(reader.unwrap(wrapped, { context, aad }), keyError('unavailable'));
  service.fail(undefined);
  using opened = await reader.unwrap(await keys.wrap(dek, request), { context, aad });
  assert.ok(opened.equals(dek));
});

test('maxObjects 1 costs one call to the key service per object', async () => {
  const { keys, service } = setUp({ maxObjects: 1 });
  using dek = dekOf();
  for (let count = 0; count < 10; count++) await keys.wrap(dek, request);
  assert.equal(service.calls.wrap, 10);
});

test('keys that can serve no more are zeroed within a minute, though nobody calls', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { clock, service, keys, replica } = setUp();
  const reader = replica();
  await reader.unwrap(await keys.wrap(dekOf(), { ...request, bytes: 0 }), { context, aad });
  const memory = [...service.wrappedMemory, ...service.openedMemory];
  clock.pass(settings.ttlMs + settings.offlineTtlMs - 1);
  t.mock.timers.tick(60_000);
  assert.deepEqual(memory.map(isZero), [false, false]);
  clock.pass(1);
  t.mock.timers.tick(60_000);
  assert.deepEqual(memory.map(isZero), [true, true]);
  keys.close();
  reader.close();
});

test('closing zeroes all keys, also one that is still being unwrapped, and refuses new calls', async () => {
  const { service, keys, replica } = setUp();
  using dek = dekOf();
  const wrapped = await keys.wrap(dek, request);
  const reader = replica();
  const release = service.hold('unwrap');
  const waiting = reader.unwrap(wrapped, { context, aad });
  await settled();
  keys.close();
  reader.close();
  assert.ok(service.wrappedMemory.every(isZero));
  await assert.rejects(keys.wrap(dek, request), keyError('unavailable'));
  await assert.rejects(reader.unwrap(wrapped, { context, aad }), keyError('unavailable'));
  release();
  using opened = await waiting;
  assert.ok(opened.equals(dek), 'who came before is still served');
  assert.ok(service.openedMemory.every(isZero));
  assert.equal(service.closed, false, 'the providers are not its own');
});

test('health has every key by name, and a provider that throws is not well', async () => {
  const services = [new TestKeyService('main'), new TestKeyService('other'), new TestKeyService('third')];
  const [, other, third] = services;
  assert.ok(other !== undefined && third !== undefined);
  other.health = () => Promise.reject(new KeyError('unavailable', 'sealed'));
  third.health = () => Promise.resolve({ ok: false, reason: 'slow' });
  const { keys } = setUp({}, services);
  assert.deepEqual(Object.fromEntries(await keys.health()), {
    main: { ok: true },
    other: { ok: false, reason: 'sealed' },
    third: { ok: false, reason: 'slow' },
  });
});

test('neither the caches nor an error shows a key', async () => {
  const { keys, service } = setUp();
  const wrapped = await keys.wrap(dekOf(), request);
  const error = await keys.unwrap({ ...wrapped, wrappedDek: new Uint8Array(60) }, { context, aad }).catch(String);
  const printed = [
    inspect(keys, { depth: 10, showHidden: true }),
    JSON.stringify(keys),
    inspect(error, { depth: 10, showHidden: true }),
  ].join('\n');
  const [memory = Buffer.alloc(32)] = service.wrappedMemory;
  for (const secret of [memory, new Uint8Array(32).fill(42)]) {
    const bytes = Buffer.from(secret);
    for (const shown of [bytes.toString('hex'), bytes.toString('base64'), bytes.subarray(0, 8).join(', ')]) {
      assert.ok(!printed.includes(shown));
    }
  }
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
}
