import { after, before, describe } from 'node:test';

import { AwsKmsKey } from '../../src/keys/aws-kms/aws-kms-key.ts';
import { keyProviderContract } from '../contract/key-provider.ts';
import { KmsServer, kmsCredentials, kmsServerNames, type KmsServerName } from '../interop/support/kms-servers.ts';
import { Relay } from '../interop/support/relay.ts';
import { Workspace } from '../interop/support/workspace.ts';

const tellsNot = 'AWS KMS tells it only to who may list rotations and aliases';
const keepsAll = 'AWS KMS takes no key material out of use; an administrator disables the key';
const skipAlways = {
  'rotates by itself: the version that it names is in use at once':
    'the stand-ins tell no id of the key material, so that a rotation would make no new version',
  'tells when each version became current': tellsNot,
  'takes an old version out of use, and the current one never': keepsAll,
  'destroys an old version, retired or not, and the current one never': keepsAll,
};

const saysOtherwise =
  'moto answers AccessDeniedException without a message where AWS KMS documents IncorrectKeyException';

// What is skipped here runs against the service as AWS documents it: test/contract/aws-kms-key.test.ts.
const skips: Readonly<Record<KmsServerName, Readonly<Record<string, string>>>> = {
  moto: {
    ...skipAlways,
    'says that it is refused, not that it is unavailable, while the key may not be used, and recovers':
      'moto encrypts and decrypts with a disabled key too; local-kms refuses, as AWS KMS does',
    'opens nothing that was altered, cut short or lengthened': saysOtherwise,
    'opens nothing that another key wrapped': saysOtherwise,
    'takes no version for another one': saysOtherwise,
  },
  'local-kms': {
    ...skipAlways,
    'opens nothing that was altered, cut short or lengthened':
      'local-kms does not authenticate the ARN at the head of a ciphertext; AWS KMS does',
  },
};

for (const name of kmsServerNames) {
  describe(`AWS KMS, ${name}`, () => {
    const workspace = new Workspace();
    let server: KmsServer;
    let count = 0;

    before(async () => {
      server = await KmsServer.start(name, workspace);
    });
    after(() => workspace[Symbol.asyncDispose]());

    keyProviderContract(
      name,
      async () => {
        count += 1;
        const alias = `alias/contract-${count}`;
        // The keys that the alias is going to mean must be known before, as an administrator makes them known.
        const keys = [await server.createKey(), await server.createKey(), await server.createKey()];
        await server.createAlias(alias, keys[0] ?? '');
        const relay = await Relay.start(server.endpoint);
        const open = (keyId: string, previousKeyIds: readonly string[]) =>
          AwsKmsKey.open({
            name: 'aws',
            keyId,
            previousKeyIds,
            region: server.region,
            endpoint: relay.endpoint,
            credentials: kmsCredentials,
            timeoutMs: 2000,
            retries: 1,
          });
        const previous = keys.toReversed();
        const provider = await open(alias, previous);
        let rotations = 0;
        return {
          provider,
          open: () => open(alias, previous),
          openOtherKey: async () => open(await server.createKey(), []),
          rotate: () => server.switchAlias(alias, keys[++rotations] ?? ''),
          async outage() {
            await relay.down();
            return { end: () => relay.up() };
          },
          async deny() {
            await server.disable(keys[0] ?? '');
            return { end: () => server.enable(keys[0] ?? '') };
          },
          async close() {
            await provider.close();
            await relay.down();
          },
        };
      },
      { skip: skips[name] },
    );
  });
}
