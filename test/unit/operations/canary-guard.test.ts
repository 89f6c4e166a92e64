import assert from 'node:assert/strict';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { DualReadWindow } from '../../../src/keys/dual-read-window.ts';
import { KeyError, type KeyProvider } from '../../../src/keys/key-provider.ts';
import { LocalKeyring } from '../../../src/keys/local/local-keyring.ts';
import { CanaryGuard, type CanaryTarget, type GuardedKey } from '../../../src/operations/canary-guard.ts';
import type { Backend } from '../../../src/operations/gateway.ts';
import { FilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { noQuirks } from '../../../src/store/quirks.ts';
import { StoreLedger } from '../../../src/uploads/store/store-ledger.ts';

const prefix = '.s3eg/';
const canaryKey = '.s3eg/canary/local';

let folder = '';
let store: FilesystemStore;
let backend: Backend;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3eg-canary-'));
  store = await FilesystemStore.open({ root: join(folder, 'objects') });
  backend = { name: 'main', store, quirks: noQuirks, ledger: new StoreLedger(store, { prefix }) };
});
after(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

let bucketNumber = 0;
let target: CanaryTarget;

beforeEach(async () => {
  const bucket = `bucket-${++bucketNumber}`;
  await store.createBucket(bucket, {});
  target = { backend, bucket, keyName: 'local' };
});

async function keyringNamed(file: string): Promise<GuardedKey> {
  const unrestricted = await LocalKeyring.open({ name: 'local', file: join(folder, file), create: true });
  return { unrestricted, provider: new DualReadWindow(unrestricted, { readPrevious: 3 }) };
}

function guardOf(key: GuardedKey, bucket?: string): CanaryGuard {
  return new CanaryGuard({ keys: new Map([['local', key]]), prefix, ...(bucket === undefined ? {} : { bucket }) });
}

async function keysIn(bucket: string): Promise<readonly string[]> {
  return (await store.listObjects({ bucket, version: 2 })).objects.map(({ key }) => key);
}

/** A provider whose calls are counted, and fail while it is `away`. */
function observed(inner: KeyProvider): KeyProvider & { wraps: number; away: boolean } {
  return {
    name: inner.name,
    wraps: 0,
    away: false,
    describe: (signal) => inner.describe(signal),
    async wrap(key, context, signal) {
      this.wraps += 1;
      if (this.away) throw new KeyError('unavailable', 'away');
      return await inner.wrap(key, context, signal);
    },
    unwrap: (wrapped, context, signal) => inner.unwrap(wrapped, context, signal),
    health: (signal) => inner.health(signal),
    close: () => inner.close(),
  };
}

describe('the canary guard', () => {
  it('leaves a canary before the first write, and asks once only', async () => {
    const { unrestricted } = await keyringNamed('right.json');
    const provider = observed(unrestricted);
    const guard = guardOf({ provider, unrestricted });
    await Promise.all([guard.check(target), guard.check(target), guard.check(target)]);
    await guard.check(target);
    assert.deepEqual(await keysIn(target.bucket), [canaryKey]);
    assert.equal(provider.wraps, 1);
  });

  it('keeps a wrong key from writing, each time it tries', async () => {
    await guardOf(await keyringNamed('right.json')).check(target);
    const wrong = guardOf(await keyringNamed('wrong.json'));
    for (let attempt = 0; attempt < 2; attempt++) {
      await assert.rejects(wrong.check(target), (error) => error instanceof KeyError && error.code === 'misconfigured');
    }
    await guardOf(await keyringNamed('right.json')).check(target);
  });

  it('finds a keyring that was replaced while the gateway was away', async () => {
    await guardOf(await keyringNamed('replaced.json')).check(target);
    await rename(join(folder, 'replaced.json'), join(folder, 'replaced.old.json'));
    await assert.rejects(guardOf(await keyringNamed('replaced.json')).check(target), KeyError);
  });

  it('does not remember that the key service was away', async () => {
    const { unrestricted } = await keyringNamed('right.json');
    const provider = observed(unrestricted);
    const guard = guardOf({ provider, unrestricted });
    provider.away = true;
    await assert.rejects(guard.check(target), (error) => error instanceof KeyError && error.code === 'unavailable');
    provider.away = false;
    await guard.check(target);
    assert.deepEqual(await keysIn(target.bucket), [canaryKey]);
  });

  it('checks a bucket anew that was deleted and made again', async () => {
    const guard = guardOf(await keyringNamed('right.json'));
    await guard.check(target);
    await store.deleteObject({ bucket: target.bucket, key: canaryKey });
    await guard.check(target);
    assert.deepEqual(await keysIn(target.bucket), [], 'not asked again');
    guard.forget(backend, target.bucket);
    await guard.check(target);
    assert.deepEqual(await keysIn(target.bucket), [canaryKey]);
  });

  it('keeps the canaries of all buckets in the one that is configured', async () => {
    const guard = guardOf(await keyringNamed('right.json'), target.bucket);
    await store.createBucket(`${target.bucket}-other`, {});
    await guard.check({ ...target, bucket: `${target.bucket}-other` });
    assert.deepEqual(await keysIn(`${target.bucket}-other`), []);
    assert.deepEqual(await keysIn(target.bucket), [canaryKey]);
  });

  it('passes on that there is no such bucket', async () => {
    const guard = guardOf(await keyringNamed('right.json'));
    await assert.rejects(guard.check({ ...target, bucket: 'nowhere' }), { code: 'NoSuchBucket' });
  });
});
