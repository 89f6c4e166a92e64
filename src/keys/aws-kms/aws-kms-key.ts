import { DecryptCommand, DescribeKeyCommand, EncryptCommand, type KeyMetadata } from '@aws-sdk/client-kms';

import { messageOf } from '../../base/message-of.ts';
import type { Health } from '../../base/health.ts';
import { SecretBytes } from '../../crypto/secret-bytes.ts';
import { closedError, isUnavailable, wrongKeyError } from '../key-errors.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyDescription,
  type KeyProvider,
  type WrappedKey,
} from '../key-provider.ts';
import { quoted } from '../quoted.ts';
import { isAlias, localArn, parseKeyArn, versionOfArn } from './key-arn.ts';
import { createKmsClients, type KmsClients } from './kms-client.ts';
import { saysWrongKey, toKeyError } from './kms-errors.ts';
import type { AwsKmsOptions } from './kms-options.ts';

const wrappedKeyBytes = 32;
const maxCiphertextBytes = 1_024;
/**
 * An alias can come to mean another key at any time, but each question costs money, and the next bucket key is wrapped under
 * what it means then in any case; an id means the same for ever.
 */
const aliasTtlMs = 300_000;
const idTtlMs = 3_600_000;

/**
 * Key provider over AWS KMS: wraps with Encrypt, unwraps with Decrypt, with policy and bucket as the encryption context. A
 * version is the ARN of a key: what an alias means now is current, `previousKeyIds` are older ones. The key material behind one
 * ARN is rotated inside of AWS KMS, which keeps the old material and finds it by itself; that makes no version.
 */
export class AwsKmsKey implements KeyProvider {
  readonly name: string;
  readonly describeTtlMs: number;
  readonly unknownVersionAdvice =
    'it is neither what keyId means now nor one of previousKeyIds, where the keys belong that objects are still under';
  readonly #options: AwsKmsOptions;
  readonly #clients: KmsClients;
  /** ARN to ask for, by version. */
  readonly #arns = new Map<string, string>();
  /** ARNs of the names in `previousKeyIds` that are not aliases. */
  readonly #resolved = new Map<string, string>();
  #closed = false;

  private constructor(options: AwsKmsOptions, clients: KmsClients) {
    this.name = options.name;
    this.describeTtlMs = [options.keyId, ...options.previousKeyIds].some(isAlias) ? aliasTtlMs : idTtlMs;
    this.#options = options;
    this.#clients = clients;
  }

  /** Asks nothing of the service yet. */
  static async open(options: AwsKmsOptions): Promise<AwsKmsKey> {
    return new AwsKmsKey(options, await createKmsClients(options));
  }

  async describe(signal?: AbortSignal): Promise<KeyDescription> {
    const { keyId, previousKeyIds } = this.#options;
    const versions = new Set([await this.#versionOf(keyId, signal)]);
    for (const previous of previousKeyIds) versions.add(await this.#versionOf(previous, signal));
    return { versions: [...versions] };
  }

  async wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey> {
    if (key.bytes.length !== wrappedKeyBytes) throw new RangeError(`only keys of ${wrappedKeyBytes} bytes are wrapped`);
    this.#checkOpen(signal);
    const keyId = await this.#here(this.#options.keyId);
    const command = new EncryptCommand({
      KeyId: keyId,
      Plaintext: key.bytes,
      EncryptionContext: contextOf(context),
    });
    const { KeyId: arn, CiphertextBlob: ciphertext } = await this.#call(
      { what: 'encrypt', keyId, signal },
      (abortSignal) => this.#clients.patient.send(command, { abortSignal }),
    );
    if (arn === undefined || ciphertext === undefined) throw this.#noKms();
    return { version: await this.#remember(arn), ciphertext };
  }

  async unwrap(
    { version, ciphertext }: WrappedKey,
    context: EncryptionContext,
    signal?: AbortSignal,
  ): Promise<SecretBytes> {
    this.#checkOpen(signal);
    const arn = await this.#arnOf(version, signal);
    if (ciphertext.length === 0 || ciphertext.length > maxCiphertextBytes) throw wrongKeyError(this.name, version);
    const command = new DecryptCommand({
      KeyId: arn,
      CiphertextBlob: ciphertext,
      EncryptionContext: contextOf(context),
    });
    const opened = await this.#call({ what: 'decrypt', keyId: arn, signal }, async (abortSignal) => {
      try {
        return await this.#clients.patient.send(command, { abortSignal });
      } catch (error) {
        throw saysWrongKey(error) ? wrongKeyError(this.name, version, error) : error;
      }
    });
    const { KeyId: usedArn = '', Plaintext: plaintext } = opened;
    if (plaintext?.length === wrappedKeyBytes && versionOfArn(usedArn) === version) return new SecretBytes(plaintext);
    plaintext?.fill(0);
    throw wrongKeyError(this.name, version);
  }

  async health(signal?: AbortSignal): Promise<Health> {
    try {
      this.#checkOpen(signal);
      const metadata = await this.#describeKey(await this.#here(this.#options.keyId), signal, 'immediate');
      const reason = unusable(metadata);
      return reason === undefined ? { ok: true } : { ok: false, reason: `key ${this.#options.keyId} ${reason}` };
    } catch (error) {
      const isAway = !this.#closed && isUnavailable(error);
      return { ok: false, reason: messageOf(error), isAway };
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#clients.patient.destroy();
    this.#clients.immediate.destroy();
    return Promise.resolve();
  }

  async #versionOf(keyId: string, signal: AbortSignal | undefined): Promise<string> {
    const known = parseKeyArn(keyId) === undefined ? this.#resolved.get(keyId) : keyId;
    // The current key is asked for in any case: a description says that the key is there.
    if (known !== undefined && keyId !== this.#options.keyId) {
      this.#checkOpen(signal);
      return this.#remember(known);
    }
    const { Arn: arn } = await this.#describeKey(await this.#here(keyId), signal, 'patient');
    if (arn === undefined) throw this.#noKms();
    if (!isAlias(keyId)) this.#resolved.set(keyId, arn);
    return this.#remember(arn);
  }

  /** The version that an ARN stands for, which can be unwrapped from now on. */
  async #remember(arn: string): Promise<string> {
    const version = versionOfArn(arn);
    if (!this.#arns.has(version)) this.#arns.set(version, await this.#here(arn));
    return version;
  }

  /** The name to ask for: a multi-Region key by the ARN of its replica here. */
  async #here(keyId: string): Promise<string> {
    return parseKeyArn(keyId) === undefined ? keyId : localArn(keyId, await this.#clients.patient.config.region());
  }

  async #arnOf(version: string, signal: AbortSignal | undefined): Promise<string> {
    if (!this.#arns.has(version)) await this.describe(signal);
    const arn = this.#arns.get(version);
    if (arn !== undefined) return arn;
    throw new KeyError(
      'not_found',
      `key ${quoted(this.name)} has no version ${quoted(version)}: ${this.unknownVersionAdvice}`,
    );
  }

  async #describeKey(keyId: string, signal: AbortSignal | undefined, client: keyof KmsClients): Promise<KeyMetadata> {
    const command = new DescribeKeyCommand({ KeyId: keyId });
    const { KeyMetadata: metadata } = await this.#call({ what: 'describe', keyId, signal }, (abortSignal) =>
      this.#clients[client].send(command, { abortSignal }),
    );
    if (metadata === undefined) throw this.#noKms();
    return metadata;
  }

  /** Runs one call of the SDK, whose waiting between tries a signal does not end: this does. */
  async #call<T>(
    {
      what,
      keyId,
      signal,
    }: { readonly what: string; readonly keyId: string; readonly signal: AbortSignal | undefined },
    run: (abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#checkOpen(signal);
    const timeout = AbortSignal.timeout(2 * this.#options.timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      return await orAborted(run(either), either);
    } catch (error) {
      signal?.throwIfAborted();
      throw toKeyError(error, { keyId, what });
    }
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError(this.name);
  }

  #noKms(): KeyError {
    return new KeyError('misconfigured', `what answers for key ${quoted(this.name)} is not AWS KMS`);
  }
}

/** Policies of keys and roles can name it: `kms:EncryptionContext:bucket`. */
function contextOf({ policy, bucket }: EncryptionContext): Record<string, string> {
  return { policy, bucket };
}

/** Why a key that is there cannot wrap and unwrap; undefined where it can. */
function unusable({
  KeyState: state,
  KeyUsage: usage,
  KeySpec: spec,
  DeletionDate: deletion,
}: KeyMetadata): string | undefined {
  if (usage !== 'ENCRYPT_DECRYPT' || (spec ?? 'SYMMETRIC_DEFAULT') !== 'SYMMETRIC_DEFAULT') {
    return `is of usage ${usage} and spec ${spec}: a symmetric key for ENCRYPT_DECRYPT is needed`;
  }
  switch (state) {
    case 'Enabled':
      return undefined;
    case 'Disabled':
      return 'is disabled: enable it';
    case 'PendingDeletion':
      return `is pending deletion${deletion === undefined ? '' : ` on ${deletion.toISOString()}`}: cancel the deletion`;
    case 'PendingImport':
      return 'has no key material: import it';
    default:
      return `is in state ${state}`;
  }
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  // Whichever comes second is nobody's business any more.
  promise.catch(() => {});
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
