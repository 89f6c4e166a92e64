import { after, before, describe } from 'node:test';

import { VaultTransitKey } from '../../src/keys/vault-transit/transit-key.ts';
import { keyProviderContract } from '../contract/key-provider.ts';
import { Relay } from '../interop/support/relay.ts';
import { VaultServer } from '../interop/support/vault-server.ts';
import { Workspace } from '../interop/support/workspace.ts';

/** Ways to make a Transit key that all keep the contract. */
const kinds: Readonly<Record<string, object>> = {
  'aes256-gcm96': {},
  'chacha20-poly1305': { type: 'chacha20-poly1305' },
  derived: { derived: true },
};

describe('a real Vault', () => {
  const workspace = new Workspace();
  let vault: VaultServer;
  let count = 0;

  before(async () => {
    vault = await VaultServer.start(workspace);
  });
  after(() => workspace[Symbol.asyncDispose]());

  for (const [kind, options] of Object.entries(kinds)) {
    keyProviderContract(`Vault Transit, ${kind}`, async () => {
      count += 1;
      const [name, other] = [`contract-${count}`, `other-${count}`];
      for (const key of [name, other]) {
        await vault.createKey(key, options);
        await vault.usePolicy(`use-${key}`, key, 'Vault policy of the gateway');
        await vault.usePolicy(`rotate-${key}`, key, 'Vault policy of who rotates');
      }
      const relay = await Relay.start(vault.address);
      const open = async (key: string) =>
        new VaultTransitKey({
          name: 'vault',
          address: relay.endpoint,
          mount: 'transit',
          key,
          auth: { method: 'token', token: await vault.token([`use-${key}`, `rotate-${key}`]) },
          timeoutMs: 2000,
          retries: 1,
        });
      const provider = await open(name);
      return {
        provider,
        open: () => open(name),
        openOtherKey: () => open(other),
        rotate: () => vault.rotate(name),
        async outage() {
          await relay.down();
          return { end: () => relay.up() };
        },
        async deny() {
          await vault.ok('DELETE', `sys/policies/acl/use-${name}`);
          return { end: () => vault.usePolicy(`use-${name}`, name, 'Vault policy of the gateway') };
        },
        async close() {
          await provider.close();
          await relay.down();
        },
      };
    });
  }
});
