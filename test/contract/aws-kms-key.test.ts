import { AwsKmsKey } from '../../src/keys/aws-kms/aws-kms-key.ts';
import { FakeKms } from '../support/fake-kms.ts';
import { keyProviderContract } from './key-provider.ts';

const tellsNot = 'AWS KMS tells it only to who may list rotations and aliases';
const keepsAll = 'AWS KMS takes no key material out of use; an administrator disables the key';

// What AWS KMS documents; the stand-ins, which differ from it here and there, are held to the contract by test/key-services.
keyProviderContract(
  'AWS KMS as documented',
  async () => {
    const kms = await FakeKms.start();
    const keys = [kms.createKey(), kms.createKey(), kms.createKey()] as const;
    kms.pointAlias('alias/contract', keys[0]);
    const open = (keyId: string, previousKeyIds: readonly string[]) =>
      AwsKmsKey.open({
        name: 'aws',
        keyId,
        previousKeyIds,
        region: 'eu-central-1',
        endpoint: kms.address,
        credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'test' },
        timeoutMs: 2000,
        retries: 1,
      });
    const previous = keys.toReversed();
    const provider = await open('alias/contract', previous);
    let rotations = 0;
    return {
      provider,
      open: () => open('alias/contract', previous),
      openOtherKey: () => open(kms.createKey(), []),
      rotate() {
        kms.pointAlias('alias/contract', keys[++rotations] ?? '');
        return Promise.resolve();
      },
      async outage() {
        await kms.down();
        return { end: () => kms.up() };
      },
      deny() {
        kms.setState(keys[0], 'Disabled');
        return Promise.resolve({
          end() {
            kms.setState(keys[0], 'Enabled');
            return Promise.resolve();
          },
        });
      },
      async close() {
        await provider.close();
        await kms.down();
      },
    };
  },
  {
    skip: {
      'tells when each version became current': tellsNot,
      'takes an old version out of use, and the current one never': keepsAll,
      'destroys an old version, retired or not, and the current one never': keepsAll,
    },
  },
);
