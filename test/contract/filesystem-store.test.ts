import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilesystemStore } from '../../src/store/filesystem/filesystem-store.ts';
import { objectStoreContract } from './object-store.ts';

objectStoreContract('filesystem', async () => {
  const root = await mkdtemp(join(tmpdir(), 's3eg-contract-'));
  const store = await FilesystemStore.open({ root });
  return {
    store,
    close: async () => {
      await store.close();
      await rm(root, { recursive: true });
    },
  };
});
