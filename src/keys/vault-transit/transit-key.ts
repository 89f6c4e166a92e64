import type { Health } from '../../base/health.ts';
import { systemRandom } from '../../crypto/random.ts';
import { SecretBytes } from '../../crypto/secret-bytes.ts';
import { encodeContext } from '../encryption-context.ts';
import { closedError, isUnavailable, wrongKeyError } from '../key-errors.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyDescription,
  type KeyProvider,
  type WrappedKey,
} from '../key-provider.ts';
import { quoted } from '../quoted.ts';
import { describeTransitKey, type TransitDescription } from './transit-description.ts';
import type { VaultAnswer } from './vault-answer.ts';
import { VaultClient, type VaultRequest } from './vault-client.ts';
import { explainFailure } from './vault-health.ts';
import { serverFailure } from './vault-login.ts';
import type { VaultTransitOptions } from './vault-options.ts';
import { VaultSession } from './vault-session.ts';

const wrappedKeyBytes = 32;
const maxCiphertextBytes = 1_024;
const versionPattern = /^[1-9]\d{0,8}$/;

/** Contexts of no policy and no bucket, to find out whether the key tells two contexts apart. */
const probeContexts = [
  { policy: 's3eg probe', bucket: '.s3eg-a' },
  { policy: 's3eg probe', bucket: '.s3eg-b' },
] as const;

/**
 * Key provider over the Transit engine of HashiCorp Vault or OpenBao. Versions are those of the Transit key; the wrapped key is
 * what stands behind `vault:vN:`, decoded. The context goes along as associated data, and for a derived key as its context too.
 */
export class VaultTransitKey implements KeyProvider {
  readonly name: string;
  readonly #options: VaultTransitOptions;
  readonly #client: VaultClient;
  readonly #session: VaultSession;
  #isDerived: boolean | undefined;
  #contextCheck: Promise<void> | undefined;
  #closed = false;

  /** Asks nothing of the server yet. */
  constructor(options: VaultTransitOptions) {
    this.name = options.name;
    this.#options = options;
    this.#client = new VaultClient(options);
    this.#session = new VaultSession(this.#client, options.auth);
  }

  async describe(signal?: AbortSignal): Promise<KeyDescription> {
    const { versions, retired } = await this.#describe(signal);
    return { versions, ...(retired === undefined ? {} : { retired }) };
  }

  async versionTimesMs(signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return (await this.#describe(signal)).madeMs;
  }

  async wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey> {
    if (key.bytes.length !== wrappedKeyBytes) throw new RangeError(`only keys of ${wrappedKeyBytes} bytes are wrapped`);
    this.#checkOpen(signal);
    await this.#checkThatContextsBind(signal);
    return this.#encrypt(key, context, signal);
  }

  async unwrap(wrapped: WrappedKey, context: EncryptionContext, signal?: AbortSignal): Promise<SecretBytes> {
    this.#checkOpen(signal);
    const { version, ciphertext } = wrapped;
    if (!versionPattern.test(version)) throw this.#noVersion(version);
    if (ciphertext.length === 0 || ciphertext.length > maxCiphertextBytes) throw wrongKeyError(this.name, version);
    const opened = await this.#decrypt(wrapped, context, signal);
    if (opened !== undefined) return opened;
    // Why it did not open depends on whether the version is there: the texts of errors differ between servers.
    const { versions, retired = [] } = await this.#describe(signal);
    if (versions.includes(version)) throw wrongKeyError(this.name, version);
    throw retired.includes(version) ? this.#retiredVersion(version) : this.#noVersion(version);
  }

  async health(signal?: AbortSignal): Promise<Health> {
    try {
      const { bindsContext, derived, type } = await this.#describe(signal, 0);
      return bindsContext || derived ? { ok: true } : { ok: false, reason: this.#unfit(type).message };
    } catch (failure) {
      if (this.#closed) return { ok: false, reason: closedError(this.name).message };
      const reason = await explainFailure(this.#client, this.#options.address, { failure, signal });
      return { ok: false, reason, isAway: isUnavailable(failure) };
    }
  }

  /** Needs `update` on `keys/<key>/rotate`. */
  async rotate(signal?: AbortSignal): Promise<string> {
    await this.#change(['rotate'], {}, signal);
    const { versions } = await this.#describe(signal);
    return versions[0] ?? '';
  }

  /** Raises `min_decryption_version`: older versions go too. Needs `update` on `keys/<key>/config`. */
  async retire(version: string, signal?: AbortSignal): Promise<void> {
    const { retired = [] } = await this.#olderVersion(version, signal);
    if (retired.includes(version)) return;
    await this.#change(['config'], { min_decryption_version: Number(version) + 1 }, signal);
  }

  /** Trims the key. Needs `update` on `keys/<key>/config` and `keys/<key>/trim`. */
  async destroy(version: string, signal?: AbortSignal): Promise<void> {
    const { versions } = await this.#olderVersion(version, signal);
    const older = versions.find((other) => Number(other) < Number(version));
    if (older !== undefined) {
      throw new KeyError(
        'misconfigured',
        `Vault destroys version ${version} of key ${quoted(this.name)} only together with all older ones, and version ` +
          `${older} is in use: retire version ${version} first, which takes the older ones out of use too`,
      );
    }
    const next = Number(version) + 1;
    const oldestReadable = Math.max(next, Number(versions.at(-1)));
    await this.#change(
      ['config'],
      { min_decryption_version: oldestReadable, min_encryption_version: oldestReadable },
      signal,
    );
    await this.#change(['trim'], { min_available_version: next }, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.close();
    await this.#client.close();
  }

  async #describe(signal: AbortSignal | undefined, retries?: number): Promise<TransitDescription> {
    const request = { method: 'GET', path: this.#path('keys') } as const;
    const answer = await this.#send(retries === undefined ? request : { ...request, retries }, signal);
    if (answer.status !== 200) throw this.#failure('read the key', answer);
    const description = describeTransitKey(answer.fields.section('data'));
    if (description === undefined) {
      throw new KeyError('misconfigured', `what answers at ${this.#place()} is not a Transit key`);
    }
    this.#isDerived = description.derived;
    return description;
  }

  async #encrypt(key: SecretBytes, context: EncryptionContext, signal: AbortSignal | undefined): Promise<WrappedKey> {
    const body = { plaintext: base64(key.bytes), ...(await this.#binding(context, signal)) };
    const answer = await this.#send({ method: 'POST', path: this.#path('encrypt'), body }, signal);
    if (answer.status !== 200) throw this.#failure('encrypt', answer);
    const text = answer.fields.section('data').text('ciphertext') ?? '';
    const [, version, sealed] = /^vault:v(\d{1,9}):([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
    if (version === undefined || sealed === undefined) {
      throw new KeyError('misconfigured', `${this.#place()} gives ciphertexts that are not of the form vault:vN:`);
    }
    return { version, ciphertext: Buffer.from(sealed, 'base64') };
  }

  /** Undefined where Vault says that it does not open. */
  async #decrypt(
    { version, ciphertext }: WrappedKey,
    context: EncryptionContext,
    signal: AbortSignal | undefined,
  ): Promise<SecretBytes | undefined> {
    const sealed = `vault:v${version}:${base64(ciphertext)}`;
    const body = { ciphertext: sealed, ...(await this.#binding(context, signal)) };
    const answer = await this.#send({ method: 'POST', path: this.#path('decrypt'), body }, signal);
    if (answer.status === 400) return undefined;
    if (answer.status !== 200) throw this.#failure('decrypt', answer);
    const opened = Buffer.from(answer.fields.section('data').text('plaintext') ?? '', 'base64');
    if (opened.length !== wrappedKeyBytes) throw wrongKeyError(this.name, version);
    return new SecretBytes(opened);
  }

  /** The parameters that tie a ciphertext to its context. */
  async #binding(
    context: EncryptionContext,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly associated_data: string; readonly context?: string }> {
    this.#isDerived ??= (await this.#describe(signal)).derived;
    const encoded = base64(encodeContext(context));
    return { associated_data: encoded, ...(this.#isDerived ? { context: encoded } : {}) };
  }

  /** Servers from before associated data pass over it in silence; then every bucket could open the keys of every other. */
  #checkThatContextsBind(signal: AbortSignal | undefined): Promise<void> {
    this.#contextCheck ??= this.#tryTwoContexts(signal).catch((error: unknown) => {
      this.#contextCheck = undefined;
      throw error;
    });
    return this.#contextCheck;
  }

  async #tryTwoContexts(signal: AbortSignal | undefined): Promise<void> {
    const { bindsContext, derived, type } = await this.#describe(signal);
    if (!bindsContext && !derived) throw this.#unfit(type);
    using probe = new SecretBytes(systemRandom(wrappedKeyBytes));
    const wrapped = await this.#encrypt(probe, probeContexts[0], signal);
    using opened = await this.#decrypt(wrapped, probeContexts[1], signal);
    if (opened === undefined) return;
    throw new KeyError(
      'misconfigured',
      `${this.#place()} opens keys in a context that they were not wrapped for: this Vault is too old for associated data; ` +
        'use a key made with derived=true, or a newer Vault',
    );
  }

  async #olderVersion(version: string, signal: AbortSignal | undefined): Promise<TransitDescription> {
    this.#checkOpen(signal);
    const description = await this.#describe(signal);
    const { versions, retired = [] } = description;
    if (version === versions[0]) {
      throw new KeyError(
        'misconfigured',
        `version ${version} of key ${quoted(this.name)} is the current one: rotate first`,
      );
    }
    if (!versions.includes(version) && !retired.includes(version)) throw this.#noVersion(version);
    return description;
  }

  async #change(
    path: readonly string[],
    body: Readonly<Record<string, number>>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    // Not repeated: a rotation that did take place must not take place twice.
    const answer = await this.#send(
      { method: 'POST', path: [...this.#path('keys'), ...path], body, retries: 0 },
      signal,
    );
    if (answer.status !== 200 && answer.status !== 204) throw this.#failure(path.join('/'), answer);
  }

  #send(request: VaultRequest, signal: AbortSignal | undefined): Promise<VaultAnswer> {
    this.#checkOpen(signal);
    return this.#session.send(request, signal);
  }

  #path(operation: 'keys' | 'encrypt' | 'decrypt'): readonly string[] {
    return [this.#options.mount, operation, this.#options.key];
  }

  #place(): string {
    const { address, mount, key } = this.#options;
    return `${address}/v1/${mount}/keys/${key}`;
  }

  #failure(what: string, answer: VaultAnswer): KeyError {
    const { status, errorText } = answer;
    if (status >= 500 || status === 412 || status === 429) return serverFailure(answer);
    const said = `(${status}${errorText === '' ? '' : `: ${errorText}`})`;
    if (status === 403) {
      return new KeyError(
        'denied',
        `Vault does not let the gateway ${what} at ${this.#place()} ${said}: check the token's policy, and that it is valid`,
      );
    }
    if (status === 404 || /key not found/i.test(errorText)) {
      return new KeyError(
        'misconfigured',
        `there is no Transit key at ${this.#place()} ${said}: check mount, key and namespace`,
      );
    }
    return new KeyError('misconfigured', `Vault cannot ${what} at ${this.#place()} ${said}`);
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError(this.name);
  }

  #unfit(type: string): KeyError {
    return new KeyError(
      'misconfigured',
      `the key at ${this.#place()} is of type ${quoted(type)}, which binds nothing to a context: use aes256-gcm96`,
    );
  }

  #noVersion(version: string): KeyError {
    return new KeyError('not_found', `key ${quoted(this.name)} has no version ${quoted(version)} in Vault`);
  }

  #retiredVersion(version: string): KeyError {
    return new KeyError(
      'not_found',
      `version ${version} of key ${quoted(this.name)} has been retired: min_decryption_version of the Transit key is higher`,
    );
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
