import { stat } from 'node:fs/promises';

import { systemClock, type Clock } from '../../base/clock.ts';
import type { Health } from '../../base/health.ts';
import { AeadError } from '../../crypto/aead.ts';
import { systemRandom, type RandomSource } from '../../crypto/random.ts';
import { SecretBytes } from '../../crypto/secret-bytes.ts';
import { openXaes, sealXaes, xaesOverheadBytes } from '../../crypto/xaes.ts';
import { encodeContext } from '../encryption-context.ts';
import { closedError, wrongKeyError } from '../key-errors.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyDescription,
  type KeyProvider,
  type WrappedKey,
} from '../key-provider.ts';
import { quoted } from '../quoted.ts';
import { kekBytes, serialiseKeyring, type KeyringEntry } from './keyring-document.ts';
import { changeKeyring, createKeyring, keyringSignature, readKeyring, type KeyringSnapshot } from './keyring-file.ts';

/** For wrapping, a changed file is looked for at most this often; at once for a version that is not known. */
const checkIntervalMs = 1_000;
const wrappedKeyBytes = 32;
const contextLabel = Buffer.from('s3eg1 kek', 'utf8');

/** Where the keyring is; `create` makes the file on first start, `clock` and `random` are for tests. */
export interface LocalKeyringOptions {
  readonly name: string;
  readonly file: string;
  readonly create: boolean;
  readonly clock?: Clock;
  readonly random?: RandomSource;
}

/**
 * Key provider whose KEK versions stand in a file of mode 0600 (format: `parseKeyring`). Wraps with XAES-256-GCM under the
 * current version, with AAD `"s3eg1 kek" | context`. A changed file is picked up while running; one that cannot be read
 * makes `health` fail and the versions read before stay in use.
 */
export class LocalKeyring implements KeyProvider {
  readonly name: string;
  /** No call to anybody: a version that was retired since must not be written under for longer. */
  readonly describeTtlMs = checkIntervalMs;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  #keyring: KeyringSnapshot;
  #checkedAtMs: number;
  #problem: KeyError | undefined;
  #lastReload: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: LocalKeyringOptions, keyring: KeyringSnapshot) {
    this.name = options.name;
    this.#file = options.file;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#keyring = keyring;
    this.#checkedAtMs = this.#clock.now();
  }

  /**
   * Opens the keyring; with `create` a missing file is made with one random key.
   * @throws KeyError `misconfigured`: missing, unreadable, open to others, or not a keyring.
   */
  static async open(options: LocalKeyringOptions): Promise<LocalKeyring> {
    const { file, create, clock = systemClock, random = systemRandom } = options;
    if (create) await createKeyring(file, () => appendVersion([], { clock, random }).content);
    return new LocalKeyring(options, await readKeyring(file));
  }

  /** By the file as it is now: the dual-read window asks when a version turns up that it does not know. */
  async describe(signal?: AbortSignal): Promise<KeyDescription> {
    signal?.throwIfAborted();
    await this.#reload();
    if (this.#closed) throw closedError(this.name);
    const { entries } = this.#keyring;
    const retired = versionsOf(entries.filter((entry) => entry.retired !== undefined));
    const versions = versionsOf(entries.filter((entry) => entry.retired === undefined));
    return { versions, ...(retired.length === 0 ? {} : { retired }) };
  }

  async versionTimesMs(signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    await this.#refresh(signal);
    return new Map(this.#keyring.entries.map(({ version, created }) => [version, Date.parse(created)]));
  }

  async wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey> {
    if (key.bytes.length !== wrappedKeyBytes) throw new RangeError(`only keys of ${wrappedKeyBytes} bytes are wrapped`);
    await this.#refresh(signal);
    const current = this.#keyring.entries.at(-1);
    if (current === undefined) throw closedError(this.name);
    const sealed = sealXaes({ key: current.key, plaintext: key.bytes, aad: aadOf(context), random: this.#random });
    return { version: current.version, ciphertext: sealed };
  }

  async unwrap(wrapped: WrappedKey, context: EncryptionContext, signal?: AbortSignal): Promise<SecretBytes> {
    await this.#refresh(signal);
    if (this.#find(wrapped.version) === undefined) await this.#reload();
    // From here on without await: a reload disposes the keys that it replaces.
    const entry = this.#find(wrapped.version);
    if (entry === undefined) throw this.#unknownVersion(wrapped.version);
    if (entry.retired !== undefined) throw this.#retiredVersion(entry);
    if (wrapped.ciphertext.length !== wrappedKeyBytes + xaesOverheadBytes)
      throw wrongKeyError(this.name, entry.version);
    try {
      return new SecretBytes(openXaes({ key: entry.key, sealed: wrapped.ciphertext, aad: aadOf(context) }));
    } catch (error) {
      if (error instanceof AeadError) throw wrongKeyError(this.name, entry.version, error);
      throw error;
    }
  }

  async health(signal?: AbortSignal): Promise<Health> {
    signal?.throwIfAborted();
    if (this.#closed) return { ok: false, reason: closedError(this.name).message };
    await this.#reload();
    return this.#problem === undefined ? { ok: true } : { ok: false, reason: this.#problem.message };
  }

  /**
   * Adds a version, which is current from then on; the file is replaced atomically, one rotation at a time over all
   * processes that share it.
   * @returns the new version.
   */
  async rotate(signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError(this.name);
    const sources = { clock: this.#clock, random: this.#random };
    const version = await changeKeyring(this.#file, (entries) => {
      this.#checkSuccessor(entries);
      return appendVersion(entries, sources);
    });
    await this.#reload();
    return version;
  }

  /** Marks a version in the file; who takes the mark out again puts the version back. */
  async retire(version: string, signal?: AbortSignal): Promise<void> {
    const retired = new Date(this.#clock.now()).toISOString();
    await this.#changeOlder(version, signal, (entries) =>
      entries.map((entry) => (entry.version === version ? { retired, ...entry } : entry)),
    );
  }

  /** Takes a version out of the file. Copies of the file, and blocks of a disk, are the administrator's affair. */
  async destroy(version: string, signal?: AbortSignal): Promise<void> {
    await this.#changeOlder(version, signal, (entries) => entries.filter((entry) => entry.version !== version));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#lastReload;
    this.#install({ entries: [], signature: '' });
  }

  async #changeOlder(
    version: string,
    signal: AbortSignal | undefined,
    change: (entries: readonly KeyringEntry[]) => readonly KeyringEntry[],
  ): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError(this.name);
    await changeKeyring(this.#file, (entries) => {
      this.#checkSuccessor(entries);
      if (!entries.some((entry) => entry.version === version)) throw this.#unknownVersion(version);
      if (entries.at(-1)?.version === version) {
        throw new KeyError(
          'misconfigured',
          `version ${version} of key ${quoted(this.name)} is the current one: rotate the key first`,
        );
      }
      return { content: serialiseKeyring(change(entries)), result: undefined };
    });
    await this.#reload();
  }

  async #refresh(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError(this.name);
    const sinceMs = this.#clock.now() - this.#checkedAtMs;
    if (sinceMs < 0 || sinceMs >= checkIntervalMs) await this.#reload();
    if (this.#closed) throw closedError(this.name);
  }

  /** One after the other, so that an older content never replaces a newer one. Never rejects. */
  #reload(): Promise<void> {
    this.#checkedAtMs = this.#clock.now();
    this.#lastReload = this.#lastReload.then(() => this.#loadIfChanged());
    return this.#lastReload;
  }

  async #loadIfChanged(): Promise<void> {
    if (this.#closed) return;
    try {
      if (keyringSignature(await stat(this.#file, { bigint: true })) === this.#keyring.signature) {
        this.#problem = undefined;
        return;
      }
      const keyring = await readKeyring(this.#file);
      try {
        this.#checkSuccessor(keyring.entries);
      } catch (error) {
        disposeAll(keyring.entries);
        throw error;
      }
      this.#install(keyring);
      this.#problem = undefined;
    } catch (error) {
      this.#problem =
        error instanceof KeyError
          ? error
          : new KeyError('misconfigured', `keyring ${this.#file} cannot be read`, { cause: error });
    }
  }

  /**
   * Whether `entries` may follow the ones in use. A version whose key has changed is a mistake, and so is one in use that has
   * gone, as in an old copy of the file: what they wrapped would be lost, and the next rotation would give their numbers away.
   */
  #checkSuccessor(entries: readonly KeyringEntry[]): void {
    const changed = entries.find(({ version, key }) => this.#find(version)?.key.equals(key) === false);
    if (changed !== undefined) {
      throw this.#refused(
        `the key of version ${changed.version} has changed; put the old one back and add a new version`,
      );
    }
    const current = this.#keyring.entries.at(-1);
    if (current === undefined || Number(entries.at(-1)?.version) >= Number(current.version)) return;
    throw this.#refused(`version ${current.version} is in use and has gone; put it back`);
  }

  #refused(problem: string): KeyError {
    return new KeyError('misconfigured', `keyring ${this.#file}: ${problem}`);
  }

  #install(keyring: KeyringSnapshot): void {
    const replaced = this.#keyring.entries;
    this.#keyring = keyring;
    disposeAll(replaced);
  }

  #find(version: string): KeyringEntry | undefined {
    return this.#keyring.entries.find((entry) => entry.version === version);
  }

  #unknownVersion(version: string): KeyError {
    if (this.#closed) return closedError(this.name);
    const missing = `key ${quoted(this.name)} has no version ${quoted(version)}`;
    if (this.#problem === undefined) return new KeyError('not_found', missing);
    // The client may be told this message, so what is wrong with which file is left to the cause and to health.
    return new KeyError('not_found', `${missing}, but its keyring cannot be read again`, { cause: this.#problem });
  }

  #retiredVersion({ version, retired }: KeyringEntry): KeyError {
    return new KeyError('not_found', `version ${version} of key ${quoted(this.name)} was retired at ${retired}`);
  }
}

function disposeAll(entries: readonly KeyringEntry[]): void {
  for (const { key } of entries) key.dispose();
}

/** Newest first. */
function versionsOf(entries: readonly KeyringEntry[]): readonly string[] {
  return entries.map(({ version }) => version).toReversed();
}

function aadOf(context: EncryptionContext): Uint8Array {
  return Buffer.concat([contextLabel, encodeContext(context)]);
}

/** The keyring's text with one random key more. */
function appendVersion(
  entries: readonly KeyringEntry[],
  { clock, random }: { readonly clock: Clock; readonly random: RandomSource },
): { readonly content: string; readonly result: string } {
  using key = new SecretBytes(random(kekBytes));
  const version = String(Number(entries.at(-1)?.version ?? 0) + 1);
  const created = new Date(clock.now()).toISOString();
  return { content: serialiseKeyring([...entries, { version, key, created }]), result: version };
}
