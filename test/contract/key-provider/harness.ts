import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyErrorCode,
  type KeyProvider,
} from '../../../src/keys/key-provider.ts';

/** A fault that the harness has made; `end` makes it good again. */
export interface Fault {
  end(): Promise<void>;
}

/** What an adapter brings to one test. What it cannot do it leaves out, and names the tests under `skip` with the reason. */
export interface KeyProviderUnderTest {
  /** A provider of a key that nobody else uses. */
  readonly provider: KeyProvider;
  /** Another provider of the same key: what another replica has, or this one after a restart. The suite closes it. */
  readonly open: () => Promise<KeyProvider>;
  /** A provider under the same name of another key in the same service. The suite closes it. */
  readonly openOtherKey: () => Promise<KeyProvider>;
  /** Adds a version, which is current from then on, without going through the provider where that is possible. */
  readonly rotate?: () => Promise<void>;
  /** Makes the service answer that the key may not be used. */
  readonly deny?: () => Promise<Fault>;
  /** Makes the service give no answer. */
  readonly outage?: () => Promise<Fault>;
  /** Called once after the test; closes the provider and whatever stands behind it. */
  readonly close: () => Promise<void>;
}

export interface ContractTest {
  readonly name: string;
  readonly run: (subject: KeyProviderUnderTest) => Promise<void>;
}

export const context: EncryptionContext = { policy: 'tenant-a', bucket: 'tenant-a-logs' };

/** The bytes 1 … 32, then on: easy to find again where they must not be. */
export function plainKey(first = 1): SecretBytes {
  return new SecretBytes(Uint8Array.from({ length: 32 }, (_, index) => (first + index) & 0xff));
}

/** What `part` offers; a test that needs it and is not named under `skip` fails. */
export function offered<T>(part: T | undefined, what: string): T {
  if (part === undefined)
    throw new Error(`the harness offers no ${what}: give it one, or skip this test with a reason`);
  return part;
}

/** Fails unless the promise is rejected with a KeyError of one of the codes that says nothing of any key. */
export async function rejectsWith(promise: Promise<unknown>, ...codes: readonly KeyErrorCode[]): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof KeyError, `not a KeyError: ${inspect(error)}`);
    assert.ok(codes.includes(error.code), `${error.code} instead of ${codes.join(' or ')}: ${error.message}`);
    const printed = inspect(error, { depth: 6, showHidden: true });
    for (const spelling of spellings(plainKey())) assert.ok(!printed.includes(spelling), 'the error shows the key');
    return true;
  });
}

function spellings(key: SecretBytes): readonly string[] {
  const bytes = Buffer.from(key.bytes);
  return [bytes.toString('hex'), bytes.toString('base64'), bytes.toString('latin1'), bytes.subarray(0, 6).join(', ')];
}

/** Asks until `holds`, for a service that takes a while to show a change everywhere. */
export async function eventually(what: string, holds: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  for (const startMs = performance.now(); performance.now() - startMs < withinMs; await delay(50)) {
    if (await holds()) return;
  }
  assert.fail(`${what}: not within ${withinMs} ms`);
}

/** Runs `use` with another provider, which is closed afterwards. */
export async function withProvider<T>(
  open: () => Promise<KeyProvider>,
  use: (provider: KeyProvider) => Promise<T>,
): Promise<T> {
  const provider = await open();
  try {
    return await use(provider);
  } finally {
    await provider.close();
  }
}
