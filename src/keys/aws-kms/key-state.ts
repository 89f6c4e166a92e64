import type { KeyMetadata } from '@aws-sdk/client-kms';

/** Why a key that is there cannot wrap and unwrap, as the end of a sentence; undefined where it can. */
export function unusable({
  KeyState: state,
  KeyUsage: usage,
  KeySpec: spec,
  DeletionDate: deletion,
}: KeyMetadata): string | undefined {
  // AWS KMS names both always; what leaves one out (moto, for keys that were made without a usage) means the default.
  if ((usage ?? 'ENCRYPT_DECRYPT') !== 'ENCRYPT_DECRYPT' || (spec ?? 'SYMMETRIC_DEFAULT') !== 'SYMMETRIC_DEFAULT') {
    return `is of usage ${usage} and spec ${spec}: a symmetric key for ENCRYPT_DECRYPT is needed`;
  }
  switch (state) {
    case 'Enabled':
      return undefined;
    case 'Disabled':
      return 'is disabled: enable it';
    case 'PendingDeletion':
      return `is pending deletion${deletion === undefined ? '' : ` on ${deletion.toISOString()}`}: cancel the deletion`;
    case 'PendingImport':
      return 'has no key material: import it';
    default:
      return `is in state ${state}`;
  }
}
