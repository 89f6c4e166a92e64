import { VaultTransitKey } from '../../src/keys/vault-transit/transit-key.ts';
import { FakeVault } from '../support/fake-vault.ts';
import { keyProviderContract } from './key-provider.ts';

for (const derived of [false, true]) {
  // The real Vault is held to the contract by test/key-services.
  keyProviderContract(`Vault Transit as documented, ${derived ? 'derived' : 'plain'} key`, async () => {
    const vault = await FakeVault.start();
    vault.createKey('contract', { derived });
    vault.createKey('other', { derived });
    const open = (key: string) =>
      Promise.resolve(
        new VaultTransitKey({
          name: 'vault',
          address: vault.address,
          mount: 'transit',
          key,
          auth: { method: 'token', token: vault.newToken() },
          timeoutMs: 2000,
          retries: 1,
        }),
      );
    const provider = await open('contract');
    return {
      provider,
      open: () => open('contract'),
      openOtherKey: () => open('other'),
      rotate() {
        vault.rotate('contract');
        return Promise.resolve();
      },
      async outage() {
        await vault.down();
        return { end: () => vault.up() };
      },
      deny() {
        vault.intercept = () => ({ status: 403, body: { errors: ['permission denied'] } });
        return Promise.resolve({
          end() {
            vault.intercept = () => undefined;
            return Promise.resolve();
          },
        });
      },
      async close() {
        await provider.close();
        await vault.down();
      },
    };
  });
}
