import assert from 'node:assert/strict';

import type { KeyProvider, WrappedKey } from '../../../src/keys/key-provider.ts';
import { context, eventually, offered, plainKey, rejectsWith, withProvider, type ContractTest } from './harness.ts';

export const versionTests: readonly ContractTest[] = [
  {
    name: 'describes its versions, the current one first, and wraps with that one',
    async run({ provider }) {
      const { versions } = await provider.describe();
      assert.ok(versions.length >= 1);
      assert.equal(new Set(versions).size, versions.length);
      for (const version of versions) assert.match(version, /^[\x21-\x7e]{1,128}$/);
      using key = plainKey();
      assert.equal((await provider.wrap(key, context)).version, versions[0]);
    },
  },
  {
    name: 'says not_found for a version that is not known',
    async run({ provider }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      for (const version of ['no-such-version', '999999', `${wrapped.version}0`, '']) {
        await rejectsWith(provider.unwrap({ ...wrapped, version }, context), 'not_found');
      }
    },
  },
  {
    name: 'wraps with the new version after a rotation and opens what the old ones wrapped',
    async run({ provider, rotate }) {
      using key = plainKey();
      const wrapped: WrappedKey[] = [await provider.wrap(key, context)];
      for (let count = 0; count < 2; count++) {
        await offered(rotate, 'rotate')();
        wrapped.unshift(await afterRotation(provider, wrapped));
      }
      const { versions } = await provider.describe();
      assert.equal(versions[0], wrapped[0]?.version);
      // Of a family one is listed, as which the others stand too.
      const familyOf = (version: string): string => provider.familyOf?.(version) ?? version;
      assert.deepEqual(
        versions.slice(0, 3).map(familyOf),
        wrapped.map(({ version }) => familyOf(version)),
        'newest first',
      );
      for (const old of wrapped) {
        using opened = await provider.unwrap(old, context);
        assert.ok(opened.equals(key), `version ${old.version}`);
      }
    },
  },
  {
    name: 'takes no version for another one',
    async run({ provider, rotate }) {
      using key = plainKey();
      const old = await provider.wrap(key, context);
      await offered(rotate, 'rotate')();
      const current = await afterRotation(provider, [old]);
      await rejectsWith(provider.unwrap({ ...old, version: current.version }, context), 'wrong_key');
      await rejectsWith(provider.unwrap({ ...current, version: old.version }, context), 'wrong_key');
    },
  },
  {
    name: 'opens what another replica wrapped, at once after a rotation too',
    async run({ provider, open, rotate }) {
      await withProvider(open, async (replica) => {
        assert.deepEqual(await replica.describe(), await provider.describe());
        using key = plainKey();
        const old = await provider.wrap(key, context);
        using first = await replica.unwrap(old, context);
        assert.ok(first.equals(key));
        await offered(rotate, 'rotate')();
        const current = await afterRotation(provider, [old]);
        using second = await replica.unwrap(current, context);
        assert.ok(second.equals(key));
        await eventually('the replica uses the new version', async () => {
          const { versions } = await replica.describe();
          return versions[0] === current.version;
        });
      });
    },
  },
  {
    name: 'rotates by itself: the version that it names is in use at once',
    async run({ provider, open }) {
      const rotate = offered(provider.rotate?.bind(provider), 'provider that rotates');
      using key = plainKey();
      const old = await provider.wrap(key, context);
      const version = await rotate();
      assert.notEqual(version, old.version);
      assert.equal((await provider.describe()).versions[0], version);
      assert.equal((await provider.wrap(key, context)).version, version);
      using opened = await provider.unwrap(old, context);
      assert.ok(opened.equals(key));
      await withProvider(open, async (other) => assert.equal((await other.describe()).versions[0], version));
    },
  },
  {
    name: 'tells when each version became current',
    async run({ provider, rotate }) {
      const timesOf = offered(provider.versionTimesMs?.bind(provider), 'times of versions');
      using key = plainKey();
      const old = await provider.wrap(key, context);
      await offered(rotate, 'rotate')();
      const current = await afterRotation(provider, [old]);
      const times = await timesOf();
      const sinceMs = times.get(current.version) ?? 0;
      // Some run with a clock of their own, which is ahead.
      assert.ok(Math.abs(sinceMs - Date.now()) < 60_000, String(sinceMs));
      assert.ok((times.get(old.version) ?? Infinity) <= sinceMs);
      assert.equal(times.get('no-such-version'), undefined);
    },
  },
  {
    name: 'takes an old version out of use, and the current one never',
    async run({ provider }) {
      const rotate = offered(provider.rotate?.bind(provider), 'provider that rotates');
      const retire = offered(provider.retire?.bind(provider), 'provider that retires');
      using key = plainKey();
      const old = await provider.wrap(key, context);
      const current = await rotate();
      await rejectsWith(retire(current), 'misconfigured');
      await rejectsWith(retire('no-such-version'), 'not_found');
      await retire(old.version);
      await eventually('the version opens nothing', async () => !(await opensAtAll(provider, old)));
      await rejectsWith(provider.unwrap(old, context), 'not_found');
      assert.ok(!(await provider.describe()).versions.includes(old.version));
      const next = await provider.wrap(key, context);
      assert.equal(next.version, current);
      using opened = await provider.unwrap(next, context);
      assert.ok(opened.equals(key));
    },
  },
  {
    name: 'destroys an old version, retired or not, and the current one never',
    async run({ provider }) {
      const rotate = offered(provider.rotate?.bind(provider), 'provider that rotates');
      const destroy = offered(provider.destroy?.bind(provider), 'provider that destroys');
      const retire = offered(provider.retire?.bind(provider), 'provider that retires');
      using key = plainKey();
      const first = await provider.wrap(key, context);
      await rotate();
      const second = await provider.wrap(key, context);
      const current = await rotate();
      await rejectsWith(destroy(current), 'misconfigured');
      await rejectsWith(destroy('no-such-version'), 'not_found');
      await retire(first.version);
      await destroy(first.version);
      await destroy(second.version);
      for (const old of [first, second]) await rejectsWith(provider.unwrap(old, context), 'not_found');
      const { versions, retired = [] } = await provider.describe();
      assert.deepEqual([versions, retired], [[current], []]);
    },
  },
  {
    name: 'opens after a restart what it wrapped before',
    async run({ provider, open }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      await provider.close();
      await withProvider(open, async (restarted) => {
        assert.equal(restarted.name, provider.name);
        using opened = await restarted.unwrap(wrapped, context);
        assert.ok(opened.equals(key));
      });
    },
  },
];

async function opensAtAll(provider: KeyProvider, wrapped: WrappedKey): Promise<boolean> {
  try {
    (await provider.unwrap(wrapped, context)).dispose();
    return true;
  } catch {
    return false;
  }
}

/** What the provider wraps once it uses a version that wrapped none of `before`. */
async function afterRotation(provider: KeyProvider, before: readonly WrappedKey[]): Promise<WrappedKey> {
  using key = plainKey();
  let wrapped = await provider.wrap(key, context);
  await eventually('the new version is in use', async () => {
    wrapped = await provider.wrap(key, context);
    return before.every(({ version }) => version !== wrapped.version);
  });
  return wrapped;
}
