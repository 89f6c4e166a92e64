import { TestKeyService } from '../unit/keys/support.ts';
import { keyProviderContract } from './key-provider.ts';

// The key service that the tests of the caches talk to is held to the contract too. It can be away and refuse, which no
// local keyring can: so every test of the suite runs.
keyProviderContract('key service of the tests', () => {
  const provider = new TestKeyService('main');
  const failing = (code: 'unavailable' | 'denied') => () => {
    provider.fail(code);
    return Promise.resolve({
      end: () => {
        provider.fail(undefined);
        return Promise.resolve();
      },
    });
  };
  return Promise.resolve({
    provider,
    open: () => Promise.resolve(provider.replica()),
    openOtherKey: () => Promise.resolve(new TestKeyService('main')),
    rotate: () => {
      provider.addVersion();
      return Promise.resolve();
    },
    outage: failing('unavailable'),
    deny: failing('denied'),
    close: () => provider.close(),
  });
});
