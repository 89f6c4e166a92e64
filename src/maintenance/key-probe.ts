import { systemRandom } from '../crypto/random.ts';
import { KeyError, type EncryptionContext, type KeyProvider } from '../keys/key-provider.ts';
import { newKey } from '../keys/new-key.ts';

/** What is known of a key-encryption key. */
export interface KeyReport {
  readonly versions: number;
  /** Of one wrap and one unwrap together, in milliseconds. */
  readonly roundTripMs: number;
  /** Empty where all is well. */
  readonly problems: readonly string[];
}

const context: EncryptionContext = { policy: 's3eg-doctor', bucket: 's3eg-doctor' };
const otherContext: EncryptionContext = { ...context, bucket: 's3eg-doctor-other' };

/**
 * Wraps a random key and unwraps it again, under its own context and under another one, which must be refused.
 * @throws KeyError where the provider cannot be used at all.
 */
export async function probeKey(provider: KeyProvider, signal: AbortSignal): Promise<KeyReport> {
  const problems: string[] = [];
  const health = await provider.health(signal);
  if (!health.ok) problems.push(`not ready: ${health.reason ?? 'no reason given'}`);
  const { versions } = await provider.describe(signal);
  const startMs = performance.now();
  const { key: made, wrapped } = await newKey(provider, context, { random: systemRandom, signal });
  using key = made;
  using unwrapped = await provider.unwrap(wrapped, context, signal);
  const roundTripMs = performance.now() - startMs;
  if (!unwrapped.equals(key)) problems.push('what is unwrapped is not what was wrapped');
  if (!(await isRefused(provider.unwrap(wrapped, otherContext, signal)))) {
    problems.push('a key is unwrapped under a context that it was not wrapped under');
  }
  return { versions: versions.length, roundTripMs, problems };
}

async function isRefused(unwrapping: Promise<Disposable>): Promise<boolean> {
  try {
    using _opened = await unwrapping;
    return false;
  } catch (error) {
    if (error instanceof KeyError && error.code !== 'unavailable') return true;
    throw error;
  }
}
