import { createSecretKey } from 'node:crypto';

import { free } from '../base/chunk-memory.ts';
import { aeadIvBytes, aeadKeyBytes, createAeadCipher, isSuiteAvailable, type AeadSuite } from './aead.ts';
import { systemRandom } from './random.ts';

/** Plaintext bytes per second that one core encrypts, by suite. */
export type SuiteRates = Readonly<Record<AeadSuite, number>>;

const suites = ['aes-256-gcm', 'chacha20-poly1305'] as const satisfies readonly AeadSuite[];
const segmentBytes = 64 * 1024;
/** The best of several slices counts: on a busy machine some of them are cut short by others. */
const slicesPerSuite = 4;
/** Less is noise, and AES-256-GCM is what FLOE was published with. */
const clearlyFaster = 1.25;

/** Encrypts segments with each suite by turns, for `budgetMs` in all; blocks meanwhile. 0 for one that the runtime lacks. */
export function measureSuites(budgetMs = 50): SuiteRates {
  const rates: Record<AeadSuite, number> = { 'aes-256-gcm': 0, 'chacha20-poly1305': 0 };
  const plaintext = Buffer.alloc(segmentBytes);
  const key = createSecretKey(systemRandom(aeadKeyBytes));
  const available = suites.filter(isSuiteAvailable);
  const sliceMs = budgetMs / (slicesPerSuite * available.length);
  const encrypt = (suite: AeadSuite): void => {
    const cipher = createAeadCipher(suite, key, systemRandom(aeadIvBytes));
    free(cipher.update(plaintext));
    cipher.final();
    cipher.getAuthTag();
  };
  for (let slice = 0; slice < slicesPerSuite; slice += 1) {
    for (const suite of available)
      rates[suite] = Math.max(
        rates[suite],
        rateOf(() => encrypt(suite), sliceMs),
      );
  }
  return rates;
}

/** Bytes per second of calls that encrypt a segment each. */
function rateOf(encryptSegment: () => void, sliceMs: number): number {
  const startMs = performance.now();
  let bytes = 0;
  let elapsedMs = 0;
  do {
    encryptSegment();
    bytes += segmentBytes;
    elapsedMs = performance.now() - startMs;
  } while (elapsedMs < sliceMs);
  return (bytes * 1000) / elapsedMs;
}

/**
 * The suite of new objects where their policy names none. AES-256-GCM, but where the machine has no instructions for it,
 * or nothing says whether it has (`undefined`), and ChaCha20-Poly1305 is clearly faster.
 */
export function chooseSuite(instructions: readonly string[] | undefined, rates: SuiteRates): AeadSuite {
  if (instructions?.includes('aes') === true) return 'aes-256-gcm';
  const isFaster = rates['chacha20-poly1305'] >= clearlyFaster * rates['aes-256-gcm'];
  return isFaster ? 'chacha20-poly1305' : 'aes-256-gcm';
}
