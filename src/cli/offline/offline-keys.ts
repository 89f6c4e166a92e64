import { resolve } from 'node:path';

import type { Settings } from '../../config/settings.ts';
import type { Envelope } from '../../envelope/envelope.ts';
import { ObjectSecrets } from '../../envelope/object-secrets.ts';
import { dekBinding, unwrapSecrets, type ObjectPlace } from '../../envelope/wrapped-dek.ts';
import { DataKeys } from '../../keys/data-keys.ts';
import { KeyError, type KeyProvider } from '../../keys/key-provider.ts';
import type { RecoveryPrivateKey } from '../../keys/recovery-key.ts';
import { openKey } from '../../wire/keys.ts';
import { printable } from '../cli-io.ts';
import { UsageError } from '../exit-code.ts';

/** What opens objects. */
export interface ObjectKeys {
  /**
   * Unwraps the DEK of an envelope that stands, or stood, at this place.
   * @throws KeyError `not_found` where no keyring is for the envelope's key, `wrong_key`, `unavailable`.
   */
  unwrap(envelope: Envelope, place: ObjectPlace): Promise<ObjectSecrets>;
}

const named = /^([A-Za-z0-9._-]{1,64})=(.+)$/s;
const hourMs = 3_600_000;

/** The keys that envelopes are opened with where no gateway runs: keyring files, of any of their versions. */
export class OfflineKeys implements ObjectKeys, AsyncDisposable {
  readonly #providers: ReadonlyMap<string, KeyProvider>;
  /** Name of the provider for every key that has no provider of its own. */
  readonly #fallback: string | undefined;
  readonly #dataKeys: DataKeys;

  readonly #recovery: RecoveryPrivateKey | undefined;

  private constructor(
    providers: ReadonlyMap<string, KeyProvider>,
    fallback: string | undefined,
    recovery?: RecoveryPrivateKey,
  ) {
    this.#recovery = recovery;
    this.#providers = providers;
    this.#fallback = fallback;
    const limits = { ttlMs: hourMs, offlineTtlMs: 0, maxObjects: 1, maxBytes: 1 };
    this.#dataKeys = new DataKeys(providers, limits);
  }

  /**
   * The keys of a configuration.
   * @throws KeyError where a keyring is not there or cannot be read.
   */
  static async ofSettings({ keys }: Settings): Promise<OfflineKeys> {
    const providers = new Map<string, KeyProvider>();
    for (const [name, key] of keys) providers.set(name, await openKey(name, key, { create: false }));
    return new OfflineKeys(providers, undefined);
  }

  /** A recovery key in place of all others. */
  static ofRecoveryKey(recovery: RecoveryPrivateKey): OfflineKeys {
    return new OfflineKeys(new Map<string, KeyProvider>(), undefined, recovery);
  }

  /**
   * Keyring files: `NAME=FILE`, or `FILE`, which serves every key that no other one is for.
   * @throws UsageError for two files with one purpose; KeyError as `ofSettings`.
   */
  static async ofKeyrings(keyrings: readonly string[], cwd: string): Promise<OfflineKeys> {
    const files = new Map<string, string>();
    let fallback: string | undefined;
    for (const keyring of keyrings) {
      const [, name, file = keyring] = named.exec(keyring) ?? [];
      const isSecond = name === undefined ? fallback !== undefined : files.has(name);
      if (isSecond) throw new UsageError('two keyrings are for the same keys: give each as --keyring NAME=FILE');
      if (name === undefined) fallback = keyring;
      // In messages the provider without a name is called by its file.
      files.set(name ?? keyring, resolve(cwd, file));
    }
    const providers = new Map<string, KeyProvider>();
    for (const [name, file] of files)
      providers.set(name, await openKey(name, { type: 'local', file }, { create: false }));
    return new OfflineKeys(providers, fallback);
  }

  async unwrap(envelope: Envelope, place: ObjectPlace): Promise<ObjectSecrets> {
    if (this.#recovery !== undefined) {
      return ObjectSecrets.of(this.#recovery.openDataKey(envelope, dekBinding(envelope, place)), envelope.salt);
    }
    const kekName = this.#providers.has(envelope.kekName) ? envelope.kekName : this.#fallback;
    if (kekName === undefined) {
      const name = printable(envelope.kekName);
      throw new KeyError(
        'not_found',
        `there is no key "${name}", which the object is encrypted under: give its keyring with --keyring ${name}=FILE`,
      );
    }
    return unwrapSecrets(this.#dataKeys, place, { ...envelope, kekName });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dataKeys.close();
    for (const provider of this.#providers.values()) await provider.close();
  }
}
