import assert from 'node:assert/strict';

import type { KeyProvider, WrappedKey } from '../../../src/keys/key-provider.ts';
import { context, eventually, offered, plainKey, rejectsWith, type ContractTest } from './harness.ts';

export const failureTests: readonly ContractTest[] = [
  {
    name: 'says unavailable while the service does not answer, and recovers',
    async run({ provider, outage }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      const fault = await offered(outage, 'outage')();
      for (const call of callsOf(provider, wrapped)) await rejectsWith(call(), 'unavailable');
      const { ok, reason } = await provider.health();
      assert.equal(ok, false);
      assert.ok(reason !== undefined && reason !== '');
      await fault.end();
      await recovers(provider, wrapped);
    },
  },
  {
    name: 'says that it is refused, not that it is unavailable, while the key may not be used, and recovers',
    async run({ provider, deny }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      const fault = await offered(deny, 'deny')();
      await rejectsWith(provider.wrap(key, context), 'denied', 'misconfigured', 'not_found');
      await rejectsWith(provider.unwrap(wrapped, context), 'denied', 'misconfigured', 'not_found');
      const { ok, reason } = await provider.health();
      assert.equal(ok, false);
      assert.ok(reason !== undefined && reason !== '');
      await fault.end();
      await recovers(provider, wrapped);
    },
  },
  {
    name: 'ends at once with the reason of a signal that is aborted',
    async run({ provider }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      for (const call of callsOf(provider, wrapped)) {
        const reason = new Error('the client has left');
        await assert.rejects(call(AbortSignal.abort(reason)), (error) => error === reason);
        await call(new AbortController().signal);
      }
    },
  },
];

function callsOf(provider: KeyProvider, wrapped: WrappedKey): readonly ((signal?: AbortSignal) => Promise<unknown>)[] {
  return [
    (signal) => provider.describe(signal),
    (signal) => provider.wrap(plainKey(), context, signal),
    (signal) => provider.unwrap(wrapped, context, signal),
  ];
}

async function recovers(provider: KeyProvider, wrapped: WrappedKey): Promise<void> {
  await eventually('it is well again', async () => {
    const { ok } = await provider.health();
    return ok;
  });
  using opened = await provider.unwrap(wrapped, context);
  assert.ok(opened.equals(plainKey()));
}
