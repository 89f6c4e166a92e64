import assert from 'node:assert/strict';

import { context, plainKey, rejectsWith, withProvider, type ContractTest } from './harness.ts';

export const lifetimeTests: readonly ContractTest[] = [
  {
    name: 'is well when all is well',
    async run({ provider }) {
      assert.deepEqual(await provider.health(), { ok: true });
    },
  },
  {
    name: 'refuses everything once it is closed, and may be closed again',
    async run({ provider }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      await provider.close();
      await provider.close();
      await rejectsWith(provider.describe(), 'unavailable');
      await rejectsWith(provider.wrap(key, context), 'unavailable');
      await rejectsWith(provider.unwrap(wrapped, context), 'unavailable');
      const { ok, reason } = await provider.health();
      assert.equal(ok, false);
      assert.ok(reason !== undefined && reason !== '');
    },
  },
  {
    name: 'closing one leaves the others of the same key',
    async run({ provider, open }) {
      using key = plainKey();
      const wrapped = await withProvider(open, (replica) => replica.wrap(key, context));
      using opened = await provider.unwrap(wrapped, context);
      assert.ok(opened.equals(key));
    },
  },
];
