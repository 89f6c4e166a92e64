import { createHash, timingSafeEqual } from 'node:crypto';

import { systemRandom, type RandomSource } from '../crypto/random.ts';
import type { SecretBytes } from '../crypto/secret-bytes.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyErrorCode,
  type KeyProvider,
  type WrappedKey,
} from './key-provider.ts';
import { newKey } from './new-key.ts';
import { quoted } from './quoted.ts';

const maxCanaryBytes = 4_096;

/** No bucket's name begins with a dot, so nothing else is ever wrapped in this context. */
const canaryContext: EncryptionContext = { policy: 's3eg canary', bucket: '.s3eg' };

/** Port to where canaries are kept, beside the data that the keys protect. Names are names of keys. */
export interface CanaryStore {
  /** The canary, or undefined where there is none; an implementation may refuse more than 4 096 bytes. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Keeps a canary; without `replace` one that is there stays as it is, and that is no error. */
  write(name: string, bytes: Uint8Array, options: { readonly replace: boolean }): Promise<void>;
}

/** What to check; `provider` is the key as it is going to be used, with its dual-read window. */
export interface CanaryOptions {
  readonly provider: KeyProvider;
  /** The same key without a window: tells a version that is merely old from a wrong key. */
  readonly unrestricted?: KeyProvider;
  readonly store: CanaryStore;
  readonly random?: RandomSource;
  readonly signal?: AbortSignal;
}

interface Canary {
  readonly key: string;
  readonly wrapped: WrappedKey;
  /** SHA-256 of the key of 32 bytes that was wrapped. */
  readonly digest: Uint8Array;
}

/**
 * Start-up check that a key works and is the one that the stored data was encrypted with: wraps and unwraps a random value,
 * then opens the canary that the first start left in the store. Called at each start, before anything is served.
 * @throws KeyError `misconfigured` when the key is not the right one or does not encrypt; `unavailable` and `denied` as the
 * provider says them.
 */
export async function checkCanary({
  provider,
  unrestricted,
  store,
  random = systemRandom,
  signal,
}: CanaryOptions): Promise<void> {
  const fresh = await roundTrip(provider, random, signal);
  let stored = await store.read(provider.name);
  if (stored === undefined) {
    const made = serialise(fresh);
    await store.write(provider.name, made, { replace: false });
    // Another replica may have been first: its canary counts.
    stored = await store.read(provider.name);
    if (stored === undefined) {
      throw new KeyError(
        'misconfigured',
        `the canary of key ${quoted(provider.name)} is not there after it was written`,
      );
    }
    // It has been opened a moment ago, and a key service counts its calls.
    if (Buffer.compare(stored, made) === 0) return;
  }
  const canary = parse(stored, provider.name);
  await verify(canary, { provider, unrestricted: unrestricted ?? provider, signal });
  // Moved along with the key, so that old versions may leave the window and, in time, the key service.
  if (canary.wrapped.version !== fresh.wrapped.version) {
    await store.write(provider.name, serialise(fresh), { replace: true });
  }
}

/** The version that a stored canary is under. @throws KeyError `misconfigured` for one that is damaged. */
export function canaryVersion(stored: Uint8Array, keyName: string): string {
  return parse(stored, keyName).wrapped.version;
}

/** A new canary, if the provider encrypts it and gives it back. */
async function roundTrip(
  provider: KeyProvider,
  random: RandomSource,
  signal: AbortSignal | undefined,
): Promise<Canary> {
  const { key, wrapped } = await newKey(provider, canaryContext, { random, signal });
  using plaintext = key;
  const ciphertext = Buffer.from(wrapped.ciphertext);
  if (ciphertext.every((byte) => byte === 0) || ciphertext.includes(plaintext.bytes)) {
    throw new KeyError('misconfigured', `key ${quoted(provider.name)} does not encrypt: do not use it`);
  }
  const digest = digestOf(plaintext);
  if (!(await opens({ key: provider.name, wrapped, digest }, provider, signal))) {
    throw new KeyError(
      'misconfigured',
      `key ${quoted(provider.name)} does not give back what it wrapped a moment ago: do not use it`,
    );
  }
  return { key: provider.name, wrapped, digest };
}

async function verify(
  canary: Canary,
  {
    provider,
    unrestricted,
    signal,
  }: { readonly provider: KeyProvider; readonly unrestricted: KeyProvider; readonly signal: AbortSignal | undefined },
): Promise<void> {
  let problem = 'it opens to something else';
  let cause: unknown;
  try {
    if (await opens(canary, provider, signal)) return;
  } catch (error) {
    if (!hasCode(error, 'outside_window', 'not_found', 'wrong_key')) throw error;
    if (error.code === 'outside_window' && unrestricted !== provider) {
      return verify(canary, { provider: unrestricted, unrestricted, signal });
    }
    problem = error.message;
    cause = error;
  }
  const name = quoted(provider.name);
  throw new KeyError(
    'misconfigured',
    `key ${name} is not the key that the stored objects are encrypted with: the canary made with its version ` +
      `${quoted(canary.wrapped.version)} does not open (${problem}). Put the right key back in the configuration or the key ` +
      `service. Only where no object under this key is needed any more, delete the canary of ${name} and start again.`,
    cause === undefined ? {} : { cause },
  );
}

async function opens(
  { wrapped, digest }: Canary,
  provider: KeyProvider,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  using plaintext = await provider.unwrap(wrapped, canaryContext, signal);
  return timingSafeEqual(digestOf(plaintext), digest);
}

function digestOf(secret: SecretBytes): Uint8Array {
  return createHash('sha256').update(secret.bytes).digest();
}

function serialise({ key, wrapped, digest }: Canary): Uint8Array {
  const document = {
    version: 1,
    key,
    keyVersion: wrapped.version,
    wrapped: Buffer.from(wrapped.ciphertext).toString('base64'),
    sha256: Buffer.from(digest).toString('base64'),
  };
  return Buffer.from(`${JSON.stringify(document)}\n`, 'utf8');
}

function parse(bytes: Uint8Array, keyName: string): Canary {
  const problem = `the canary of key ${quoted(keyName)} is damaged`;
  if (bytes.length > maxCanaryBytes)
    throw new KeyError('misconfigured', `${problem}: more than ${maxCanaryBytes} bytes`);
  const fields = fieldsOf(bytes, problem);
  const key = fields.get('key');
  const version = fields.get('keyVersion');
  const ciphertext = base64Field(fields.get('wrapped'));
  const digest = base64Field(fields.get('sha256'));
  if (fields.get('version') !== 1 || typeof version !== 'string' || ciphertext === undefined || digest?.length !== 32) {
    throw new KeyError('misconfigured', `${problem}: it is not a canary of version 1`);
  }
  if (key !== keyName) throw new KeyError('misconfigured', `${problem}: it is that of another key`);
  return { key, wrapped: { version, ciphertext }, digest };
}

function fieldsOf(bytes: Uint8Array, problem: string): ReadonlyMap<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new KeyError('misconfigured', `${problem}: it is not JSON`, { cause: error });
  }
  return new Map(typeof document === 'object' && document !== null ? Object.entries(document) : []);
}

function base64Field(value: unknown): Buffer | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(value) ? Buffer.from(value, 'base64') : undefined;
}

function hasCode(error: unknown, ...codes: readonly KeyErrorCode[]): error is KeyError {
  return error instanceof KeyError && codes.includes(error.code);
}
