import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DualReadWindow } from '../../../src/keys/dual-read-window.ts';
import { KeyError, type WrappedKey } from '../../../src/keys/key-provider.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { context, keyError, TestClock, TestKeyService } from './support.ts';

/** A key with `count` versions, and what each of them wrapped, oldest first. */
async function rotated(count: number) {
  const service = new TestKeyService('main');
  const wrapped: WrappedKey[] = [];
  using key = new SecretBytes(new Uint8Array(32).fill(5));
  for (let index = 0; index < count; index++) {
    if (index > 0) service.addVersion();
    wrapped.push(await service.wrap(key, context));
  }
  const clock = new TestClock();
  const window = (readPrevious: number) => new DualReadWindow(service, { readPrevious, clock });
  return { service, wrapped, clock, window };
}

test('exactly the current version and so many before it are read', async () => {
  const { wrapped, window } = await rotated(5);
  for (let readPrevious = 0; readPrevious <= 6; readPrevious++) {
    const provider = window(readPrevious);
    for (const [index, old] of wrapped.entries()) {
      const age = wrapped.length - 1 - index;
      if (age <= readPrevious) {
        using opened = await provider.unwrap(old, context);
        assert.equal(opened.bytes[0], 5);
      } else {
        await assert.rejects(provider.unwrap(old, context), keyError('outside_window'), `${age} of ${readPrevious}`);
      }
    }
  }
});

test('what is refused says which key and version it is and what to do', async () => {
  const { wrapped, window, service } = await rotated(5);
  const [oldest] = wrapped;
  assert.ok(oldest !== undefined);
  await assert.rejects(window(2).unwrap(oldest, context), (error: unknown) => {
    assert.ok(error instanceof KeyError);
    assert.equal(error.code, 'outside_window');
    assert.equal(
      error.message,
      'version "v1" of key "main" is 4 versions behind the current one, and rotation.readPrevious lets 2 be read: ' +
        'raise rotation.readPrevious to 4 or more, or rewrap what is under that version (s3eg rewrap)',
    );
    return true;
  });
  // Refused before the service is asked to unwrap.
  assert.equal(service.calls.unwrap, 0);
  using opened = await window(4).unwrap(oldest, context);
  assert.equal(opened.bytes.length, 32);
});

test('a version that nobody has heard of is asked for once more, then not found', async () => {
  const { service, wrapped, window } = await rotated(1);
  const provider = window(3);
  const [known] = wrapped;
  assert.ok(known !== undefined);
  await provider.unwrap(known, context);
  assert.equal(service.calls.describe, 1);
  service.addVersion();
  using key = new SecretBytes(new Uint8Array(32).fill(6));
  const fresh = await service.wrap(key, context);
  using opened = await provider.unwrap(fresh, context);
  assert.equal(opened.bytes[0], 6);
  assert.equal(service.calls.describe, 2);
  await assert.rejects(provider.unwrap({ ...fresh, version: 'v9' }, context), (error: unknown) => {
    assert.ok(keyError('not_found')(error) && error instanceof Error);
    assert.match(error.message, /^key "main" has no version "v9"/);
    return true;
  });
  assert.equal(service.calls.describe, 3);
});

test('a rotation moves the window within seconds', async () => {
  const { service, wrapped, clock, window } = await rotated(1);
  const provider = window(0);
  const [old] = wrapped;
  assert.ok(old !== undefined);
  await provider.unwrap(old, context);
  service.addVersion();
  clock.pass(5000);
  await assert.rejects(provider.unwrap(old, context), keyError('outside_window'));
});

test('the window wraps, describes, reports and closes as the key does', async () => {
  const { service, window } = await rotated(2);
  const provider = window(1);
  assert.equal(provider.name, 'main');
  assert.deepEqual(await provider.describe(), { versions: ['v2', 'v1'] });
  service.addVersion();
  assert.deepEqual(await provider.describe(), { versions: ['v3', 'v2', 'v1'] }, 'always the present answer');
  using key = new SecretBytes(new Uint8Array(32).fill(7));
  assert.equal((await provider.wrap(key, context)).version, 'v3');
  assert.deepEqual(await provider.health(), { ok: true });
  await provider.close();
  assert.ok(service.closed);
});

test('while the versions are not known nothing is unwrapped', async () => {
  const { service, wrapped, window } = await rotated(1);
  service.failures.describe = 'unavailable';
  const [known] = wrapped;
  assert.ok(known !== undefined);
  await assert.rejects(window(3).unwrap(known, context), keyError('unavailable'));
  assert.equal(service.calls.unwrap, 0);
});

test('a window that is no number of versions is refused', () => {
  const service = new TestKeyService();
  for (const readPrevious of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => new DualReadWindow(service, { readPrevious }), keyError('misconfigured'), `${readPrevious}`);
  }
});

test('a version that was retired is refused as such, and not as one that never was', async () => {
  const service = new TestKeyService();
  const window = new DualReadWindow(service, { readPrevious: 3 });
  using key = new SecretBytes(new Uint8Array(32).fill(7));
  const old = await service.wrap(key, context);
  service.addVersion();
  await service.retire(old.version);
  await assert.rejects(window.unwrap(old, context), /version "v1" of key "main" has been retired/);
  assert.deepEqual(await window.describe(), { versions: ['v2'], retired: ['v1'] });
});

test('a version that is not there is refused with what the provider knows to do about it', async () => {
  const { service, wrapped, window } = await rotated(1);
  const [first] = wrapped;
  assert.ok(first !== undefined);
  const foreign = { ...first, version: 'v99' };
  await assert.rejects(window(3).unwrap(foreign, context), /^KeyError: key "main" has no version "v99"$/);
  const advising = Object.assign(service.replica(), { unknownVersionAdvice: 'put it back' });
  const advised = new DualReadWindow(advising, { readPrevious: 3 });
  await assert.rejects(advised.unwrap(foreign, context), /^KeyError: key "main" has no version "v99": put it back$/);
});
