import assert from 'node:assert/strict';

import { content, names, stage, tagOf, type ContractTest } from './harness.ts';

export const removalTests: readonly ContractTest[] = [
  {
    name: 'removes the record and all staged parts, for every replica',
    async run({ ledger, replica, restarted, upload }) {
      await ledger.record(upload, { envelope: 'e' });
      for (let attempt = 1; attempt <= 3; attempt++) {
        await replica.stagePart(upload, stage(attempt, attempt, content(100, attempt)));
        await replica.stagePart(upload, stage(1, attempt + 10, content(100, attempt)));
      }
      await ledger.remove(upload);
      for (const other of [ledger, replica, await restarted()]) {
        assert.deepEqual(await other.stagedParts(upload), []);
      }
      assert.equal(await ledger.find(upload), undefined);
      assert.equal(await (await restarted()).find(upload), undefined);
    },
  },
  {
    name: 'may remove again, and what was never there',
    async run({ ledger, replica, upload }) {
      await ledger.remove(upload);
      await ledger.record(upload, { envelope: 'e' });
      await Promise.all([ledger.remove(upload), replica.remove(upload)]);
      await ledger.remove(upload);
      assert.equal(await ledger.find(upload), undefined);
    },
  },
  {
    name: 'leaves other uploads alone, of the same object too',
    async run({ ledger, restarted, upload }) {
      const other = { ...upload, uploadId: `${upload.uploadId}2` };
      for (const address of [upload, other]) {
        await ledger.record(address, { envelope: address.uploadId });
        await ledger.stagePart(address, stage(1, 1, content(100, 1)));
      }
      await ledger.remove(upload);
      const cold = await restarted();
      assert.deepEqual(await cold.find(other), { envelope: other.uploadId });
      assert.deepEqual(names(await cold.stagedParts(other)), [`1 ${tagOf(1)}`]);
    },
  },
  {
    name: 'removes what is left where an earlier removal was broken off',
    async run({ ledger, restarted, upload }) {
      // Parts without a record: staged by a request that came while the upload was removed.
      await ledger.stagePart(upload, stage(1, 1, content(100, 1)));
      await ledger.remove(upload);
      assert.deepEqual(await (await restarted()).stagedParts(upload), []);
    },
  },
];
