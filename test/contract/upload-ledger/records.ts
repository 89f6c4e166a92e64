import assert from 'node:assert/strict';

import type { UploadAddress } from '../../../src/store/object-store.ts';
import { freshUpload, type ContractTest } from './harness.ts';

const envelope = 'S3EGAQ'.padEnd(600, 'x');

export const recordTests: readonly ContractTest[] = [
  {
    name: 'knows nothing of an upload that was not recorded',
    async run({ ledger, restarted, upload }) {
      assert.equal(await ledger.find(upload), undefined);
      assert.equal(await (await restarted()).find(upload), undefined);
      assert.deepEqual(await ledger.stagedParts(upload), []);
    },
  },
  {
    name: 'finds a record here, on another replica and after a restart',
    async run({ ledger, replica, restarted, upload }) {
      // Asked before it is there: that nothing was found must not be remembered.
      assert.equal(await replica.find(upload), undefined);
      await ledger.record(upload, { envelope });
      for (const other of [ledger, replica, await restarted()]) {
        assert.deepEqual(await other.find(upload), { envelope });
        assert.deepEqual(await other.find(upload), { envelope });
      }
    },
  },
  {
    name: 'keeps the checksum that an upload was created for',
    async run({ ledger, replica, restarted, upload }) {
      const record = { envelope, checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT' } } as const;
      await ledger.record(upload, record);
      for (const other of [ledger, replica, await restarted()]) assert.deepEqual(await other.find(upload), record);
    },
  },
  {
    name: 'keeps uploads apart by key and by upload id',
    async run({ ledger, restarted, bucket }) {
      const first = freshUpload(bucket, 'a/b');
      const uploads: readonly UploadAddress[] = [
        first,
        { ...first, key: 'a' },
        { ...first, key: `b/${first.uploadId}`, uploadId: 'a' },
        { ...first, uploadId: `${first.uploadId}x` },
        { ...first, key: 'a/b/' },
      ];
      for (const [index, upload] of uploads.entries()) await ledger.record(upload, { envelope: `envelope ${index}` });
      const cold = await restarted();
      for (const [index, upload] of uploads.entries()) {
        assert.deepEqual(await cold.find(upload), { envelope: `envelope ${index}` }, upload.key);
      }
    },
  },
  {
    name: 'takes any key and any upload id',
    async run({ ledger, restarted, bucket }) {
      const keys = [
        '../x',
        '/',
        'a//b',
        'a\u0001b',
        'Größe/名前/😀',
        'k'.repeat(1024),
        '.s3eg/uploads/x/record',
        '%2F',
      ];
      const { uploadId } = freshUpload(bucket);
      for (const key of keys) await ledger.record({ bucket, key, uploadId }, { envelope: key });
      await ledger.record({ bucket, key: 'k', uploadId: '../../~"?&=+ %' }, { envelope: 'odd id' });
      const cold = await restarted();
      for (const key of keys) assert.deepEqual(await cold.find({ bucket, key, uploadId }), { envelope: key });
      assert.deepEqual(await cold.find({ bucket, key: 'k', uploadId: '../../~"?&=+ %' }), { envelope: 'odd id' });
    },
  },
  {
    name: 'gives each of many callers his own record',
    async run({ ledger, replica, bucket }) {
      const uploads = Array.from({ length: 20 }, () => freshUpload(bucket));
      await Promise.all(uploads.map((upload) => ledger.record(upload, { envelope: upload.uploadId })));
      const found = await Promise.all(uploads.map((upload) => replica.find(upload)));
      assert.deepEqual(
        found,
        uploads.map(({ uploadId }) => ({ envelope: uploadId })),
      );
    },
  },
  {
    name: 'ends with the reason of a signal that is aborted, and records nothing',
    async run({ ledger, restarted, upload }) {
      const reason = new Error('the client has left');
      const signal = AbortSignal.abort(reason);
      await assert.rejects(ledger.record(upload, { envelope }, { signal }), (error) => error === reason);
      const cold = await restarted();
      await assert.rejects(cold.find(upload, { signal }), (error) => error === reason);
      await assert.rejects(cold.stagedParts(upload, { signal }), (error) => error === reason);
      assert.equal(await cold.find(upload), undefined);
      assert.equal(await ledger.find(upload), undefined);
    },
  },
];
