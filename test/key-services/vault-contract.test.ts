import { after, before, describe } from 'node:test';

import { VaultTransitKey } from '../../src/keys/vault-transit/transit-key.ts';
import { keyProviderContract } from '../contract/key-provider.ts';
import { Relay } from '../interop/support/relay.ts';
import { VaultServer, type VaultOptions } from '../interop/support/vault-server.ts';
import { Workspace } from '../interop/support/workspace.ts';

/** Ways to make a Transit key that all keep the contract. */
const kinds = {
  'aes256-gcm96': {},
  'chacha20-poly1305': { type: 'chacha20-poly1305' },
  derived: { derived: true },
} as const;

suite('a real Vault', {}, ['aes256-gcm96', 'chacha20-poly1305', 'derived']);
suite('a real OpenBao', { product: 'openbao' }, ['aes256-gcm96', 'derived']);
suite('a namespace of a real OpenBao', { product: 'openbao', namespace: 'team/storage' }, ['aes256-gcm96']);

function suite(title: string, server: VaultOptions, kindsThere: readonly (keyof typeof kinds)[]): void {
  describe(title, () => {
    const workspace = new Workspace();
    let vault: VaultServer;
    let count = 0;

    before(async () => {
      vault = await VaultServer.start(workspace, server);
    });
    after(() => workspace[Symbol.asyncDispose]());

    for (const kind of kindsThere) {
      keyProviderContract(`Transit, ${kind}`, async () => {
        count += 1;
        const [name, other] = [`contract-${count}`, `other-${count}`];
        for (const key of [name, other]) {
          await vault.createKey(key, kinds[kind]);
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
            ...(server.namespace === undefined ? {} : { namespace: server.namespace }),
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
}
