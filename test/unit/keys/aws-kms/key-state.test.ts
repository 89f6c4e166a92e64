import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { unusable } from '../../../../src/keys/aws-kms/key-state.ts';

const key = { KeyId: 'a-key', KeyState: 'Enabled', KeyUsage: 'ENCRYPT_DECRYPT', KeySpec: 'SYMMETRIC_DEFAULT' } as const;

describe('whether a key of AWS KMS can be used', () => {
  it('can, of the kind that wraps', () => {
    assert.equal(unusable(key), undefined);
  });

  it('can, where usage and spec are left out: they have defaults', () => {
    assert.equal(unusable({ KeyId: 'a-key', KeyState: 'Enabled' }), undefined);
  });

  it('cannot, of another usage or spec', () => {
    assert.match(
      unusable({ ...key, KeyUsage: 'SIGN_VERIFY', KeySpec: 'RSA_2048' }) ?? '',
      /usage SIGN_VERIFY and spec RSA_2048/,
    );
    assert.match(unusable({ ...key, KeySpec: 'RSA_2048' }) ?? '', /spec RSA_2048/);
  });

  it('cannot, while it is disabled, to be deleted or empty, and says what to do', () => {
    assert.match(unusable({ ...key, KeyState: 'Disabled' }) ?? '', /enable it/);
    const deleted = { ...key, KeyState: 'PendingDeletion', DeletionDate: new Date('2030-01-02T03:04:05Z') } as const;
    assert.match(unusable(deleted) ?? '', /2030-01-02T03:04:05\.000Z: cancel the deletion/);
    assert.match(unusable({ ...key, KeyState: 'PendingImport' }) ?? '', /import it/);
  });
});
