import type { KeySettings, Settings } from '../config/settings.ts';
import { DualReadWindow } from '../keys/dual-read-window.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import { LocalKeyring } from '../keys/local/local-keyring.ts';
import { RecoveryPublicKey } from '../keys/recovery-key.ts';
import type { GuardedKey } from '../operations/canary-guard.ts';

/** What a key is opened with: its dual-read window does not matter then. */
export type OpenableKey = KeySettings extends infer Key
  ? Key extends KeySettings
    ? Omit<Key, 'readPrevious'>
    : never
  : never;

/**
 * Opens all keys of a configuration. Each is put onto `opened` as soon as it is open: one that fails must not keep those
 * before it. With `create` a keyring that is missing is made.
 * @throws as `openKey`.
 */
export async function openKeys(
  settings: Settings,
  { create, opened }: { readonly create: boolean; readonly opened: AsyncDisposableStack },
): Promise<ReadonlyMap<string, GuardedKey>> {
  const keys = new Map<string, GuardedKey>();
  for (const [name, key] of settings.keys) {
    const unrestricted = await openKey(name, key, { create });
    opened.defer(async () => unrestricted.close());
    keys.set(name, { unrestricted, provider: new DualReadWindow(unrestricted, { readPrevious: key.readPrevious }) });
  }
  return keys;
}

/**
 * The provider of one key, without a window; without `create` a keyring file must be there. A key service is not asked yet.
 * @throws KeyError `misconfigured`.
 */
export async function openKey(
  name: string,
  key: OpenableKey,
  { create }: { readonly create: boolean },
): Promise<KeyProvider> {
  if (key.type === 'local') return LocalKeyring.open({ name, file: key.file, create });
  // Loaded only where they are used: the client of a key service takes its time.
  if (key.type === 'aws-kms') {
    const { AwsKmsKey } = await import('../keys/aws-kms/aws-kms-key.ts');
    return AwsKmsKey.open({ ...key, name });
  }
  const { VaultTransitKey } = await import('../keys/vault-transit/transit-key.ts');
  return new VaultTransitKey({ ...key, name });
}

/** For whom bucket keys are sealed a second time, as `DataKeys` takes it. */
export function recoveryOf({ recoveryPublicKey }: Settings): { readonly recovery?: RecoveryPublicKey } {
  return recoveryPublicKey === undefined ? {} : { recovery: RecoveryPublicKey.ofPem(recoveryPublicKey) };
}
