import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import type { Clock } from '../../../src/base/clock.ts';
import type { Health } from '../../../src/base/health.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import type { KeyEvents } from '../../../src/keys/key-events.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyDescription,
  type KeyErrorCode,
  type KeyProvider,
  type WrappedKey,
} from '../../../src/keys/key-provider.ts';

/** Time that passes only when told to. */
export class TestClock implements Clock {
  nowMs = Date.UTC(2026, 0, 1);

  now(): number {
    return this.nowMs;
  }

  pass(ms: number): void {
    this.nowMs += ms;
  }
}

export const context: EncryptionContext = { policy: 'tenant-a', bucket: 'logs' };

type Call = 'describe' | 'wrap' | 'unwrap';

/**
 * A key service in memory, which counts its calls, fails on demand, answers late on demand, and keeps the memory of the keys
 * that it was given and gave, so that a test can see whether it was zeroed.
 */
export class TestKeyService implements KeyProvider {
  readonly name: string;
  readonly calls: Record<Call, number> = { describe: 0, wrap: 0, unwrap: 0 };
  /** Memory of each key that was wrapped and of each that was given out, in order. */
  readonly wrappedMemory: Uint8Array[] = [];
  readonly openedMemory: Uint8Array[] = [];
  /** Signals that came with the calls, in order. */
  readonly signals: (AbortSignal | undefined)[] = [];
  /** What every call of this kind fails with. */
  readonly failures: Partial<Record<Call, KeyErrorCode>>;
  readonly #keks: Map<string, Buffer>;
  readonly #retired: Map<string, Buffer>;
  readonly #versions: { count: number };
  readonly #madeMs: Map<string, number>;
  readonly #gates = new Map<Call, Promise<void>>();
  closed = false;

  constructor(name = 'main', shared?: TestKeyService) {
    this.name = name;
    this.#keks = shared === undefined ? new Map<string, Buffer>() : shared.#keks;
    this.#retired = shared === undefined ? new Map<string, Buffer>() : shared.#retired;
    this.#madeMs = shared === undefined ? new Map<string, number>() : shared.#madeMs;
    this.#versions = shared === undefined ? { count: 0 } : shared.#versions;
    this.failures = shared === undefined ? {} : shared.failures;
    if (shared === undefined) this.addVersion();
  }

  /** Another client of the same key in the same service. */
  replica(): TestKeyService {
    return new TestKeyService(this.name, this);
  }

  addVersion(): string {
    this.#versions.count += 1;
    const version = `v${this.#versions.count}`;
    this.#keks.set(version, randomBytes(32));
    this.#madeMs.set(version, Date.now());
    return version;
  }

  /** The current version. */
  get newest(): string {
    return `v${this.#versions.count}`;
  }

  rotate(): Promise<string> {
    return Promise.resolve(this.addVersion());
  }

  async retire(version: string): Promise<void> {
    await this.#begin('describe', undefined);
    const kek = this.#older(version);
    this.#keks.delete(version);
    this.#retired.set(version, kek);
  }

  async destroy(version: string): Promise<void> {
    await this.#begin('describe', undefined);
    if (!this.#retired.delete(version)) {
      this.#older(version);
      this.#keks.delete(version);
    }
  }

  /** Every call fails like this; undefined: all is well. */
  fail(code: KeyErrorCode | undefined): void {
    for (const call of ['describe', 'wrap', 'unwrap'] as const) {
      if (code === undefined) delete this.failures[call];
      else this.failures[call] = code;
    }
  }

  /** Calls of this kind that are made from now on wait until the function that this gives is called. */
  hold(call: Call): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.set(call, promise);
    return () => {
      this.#gates.delete(call);
      resolve();
    };
  }

  async describe(signal?: AbortSignal): Promise<KeyDescription> {
    await this.#begin('describe', signal);
    const retired = [...this.#retired.keys()].toReversed();
    return { versions: [...this.#keks.keys()].toReversed(), ...(retired.length === 0 ? {} : { retired }) };
  }

  versionTimesMs(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(this.#madeMs);
  }

  async wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey> {
    if (key.bytes.length !== 32) throw new RangeError('not a key of 32 bytes');
    this.wrappedMemory.push(key.bytes);
    await this.#begin('wrap', signal);
    const [version, kek] = [...this.#keks].at(-1) ?? ['', Buffer.alloc(32)];
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', kek, iv).setAAD(aadOf(context));
    const ciphertext = Buffer.concat([iv, cipher.update(key.bytes), cipher.final(), cipher.getAuthTag()]);
    return { version, ciphertext };
  }

  async unwrap({ version, ciphertext }: WrappedKey, context: EncryptionContext, signal?: AbortSignal) {
    await this.#begin('unwrap', signal);
    const kek = this.#keks.get(version);
    if (kek === undefined) throw new KeyError('not_found', `no version ${version}`);
    if (ciphertext.length !== 60) throw new KeyError('wrong_key', 'does not open');
    const decipher = createDecipheriv('aes-256-gcm', kek, ciphertext.subarray(0, 12)).setAAD(aadOf(context));
    decipher.setAuthTag(ciphertext.subarray(-16));
    try {
      const opened = Buffer.concat([decipher.update(ciphertext.subarray(12, -16)), decipher.final()]);
      const memory = Uint8Array.from(opened);
      this.openedMemory.push(memory);
      return new SecretBytes(memory);
    } catch {
      throw new KeyError('wrong_key', 'does not open');
    }
  }

  health(): Promise<Health> {
    const reason = this.closed ? 'closed' : Object.values(this.failures)[0];
    return Promise.resolve(reason === undefined ? { ok: true } : { ok: false, reason });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** The key of a version that is not the current one. */
  #older(version: string): Buffer {
    const kek = this.#keks.get(version);
    if (kek === undefined) throw new KeyError('not_found', `no version ${version}`);
    if ([...this.#keks.keys()].at(-1) === version) throw new KeyError('misconfigured', 'the current version');
    return kek;
  }

  async #begin(call: Call, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.closed) throw new KeyError('unavailable', 'closed');
    this.calls[call] += 1;
    this.signals.push(signal);
    await this.#gates.get(call);
    const code = this.failures[call];
    if (code !== undefined) throw new KeyError(code, `${call} failed for the test`);
  }
}

/** Events as short lines, in order: `wrap main ok`, `hit main unwrap`, `offline main wrap`, `miss main wrap`. */
export function eventLog(): KeyEvents & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    wrap: ({ keyName, outcome }) => void lines.push(`wrap ${keyName} ${outcome}`),
    unwrap: ({ keyName, outcome }) => void lines.push(`unwrap ${keyName} ${outcome}`),
    cacheHit: ({ keyName, cache, offline }) => void lines.push(`${offline ? 'offline' : 'hit'} ${keyName} ${cache}`),
    cacheMiss: ({ keyName, cache }) => void lines.push(`miss ${keyName} ${cache}`),
    read: () => {},
    rotated: ({ keyName, previous, current }) => void lines.push(`rotated ${keyName} ${previous} ${current}`),
  };
}

/** Whether memory has been zeroed. */
export function isZero(memory: Uint8Array): boolean {
  return memory.every((byte) => byte === 0);
}

/** Lets everything happen that waits for nothing but other promises. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

/** For `assert.rejects`: a KeyError with this code. */
export function keyError(code: KeyErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof KeyError && error.code === code;
}

function aadOf({ policy, bucket }: EncryptionContext): Buffer {
  return Buffer.from(JSON.stringify([policy, bucket]));
}
