import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LocalKeyring } from '../../src/keys/local/local-keyring.ts';
import { keyProviderContract } from './key-provider.ts';

keyProviderContract(
  'local keyring',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 's3eg-keyring-'));
    const file = join(directory, 'keyring.json');
    // Time flies, so that each call looks whether the file has changed, which it does once a second.
    let nowMs = Date.now();
    const clock = { now: () => (nowMs += 1000) };
    const open = () => LocalKeyring.open({ name: 'local', file, create: true, clock });
    const provider = await open();
    return {
      provider,
      open,
      openOtherKey: () => LocalKeyring.open({ name: 'local', file: join(directory, 'other.json'), create: true }),
      async rotate() {
        // As `s3eg keys rotate` does it: another process, which the provider has to notice.
        const other = await open();
        await other.rotate();
        await other.close();
      },
      async close() {
        await provider.close();
        await rm(directory, { recursive: true });
      },
    };
  },
  {
    skip: {
      'says unavailable while the service does not answer, and recovers':
        'a keyring is in memory once it is open: there is no service that could be away',
      'says that it is refused, not that it is unavailable, while the key may not be used, and recovers':
        'nobody but the file system can refuse a keyring, and then the versions read before stay in use',
    },
  },
);
