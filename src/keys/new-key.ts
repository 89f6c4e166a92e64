import type { RandomSource } from '../crypto/random.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import type { EncryptionContext, KeyProvider, NewKey } from './key-provider.ts';

const keyBytes = 32;

/**
 * A new key under the current version: made by the provider where that alone tells the exact version, else of `random`.
 * @throws KeyError what the provider throws.
 */
export async function newKey(
  provider: Pick<KeyProvider, 'makeKey' | 'wrap'>,
  context: EncryptionContext,
  { random, signal }: { readonly random: RandomSource; readonly signal?: AbortSignal | undefined },
): Promise<NewKey> {
  if (provider.makeKey !== undefined) return await provider.makeKey(context, signal);
  const key = new SecretBytes(random(keyBytes));
  try {
    return { key, wrapped: await provider.wrap(key, context, signal) };
  } catch (error) {
    key.dispose();
    throw error;
  }
}
