import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FilesystemStore } from '../../src/store/filesystem/filesystem-store.ts';
import { StoreLedger, type StoreLedgerOptions } from '../../src/uploads/store/store-ledger.ts';
import { uploadLedgerContract } from './upload-ledger.ts';

const placements: Readonly<Record<string, StoreLedgerOptions>> = {
  'store, in the bucket of each upload': { prefix: '.s3eg/' },
  'store, in a bucket of its own': { prefix: 'gateway/', bucket: 'ledger' },
};

for (const [name, options] of Object.entries(placements)) {
  uploadLedgerContract(name, async () => {
    const root = await mkdtemp(join(tmpdir(), 's3eg-ledger-'));
    const stores: FilesystemStore[] = [];
    const replica = async () => {
      const store = await FilesystemStore.open({ root });
      stores.push(store);
      return { store, ledger: new StoreLedger(store, options) };
    };
    const [first, second] = [await replica(), await replica()];
    for (const bucket of ['photos', 'ledger']) await first.store.createBucket(bucket, {});
    return {
      ledger: first.ledger,
      replica: second.ledger,
      restarted: async () => (await replica()).ledger,
      bucket: 'photos',
      async close() {
        for (const store of stores) await store.close();
        await rm(root, { recursive: true });
      },
    };
  });
}
