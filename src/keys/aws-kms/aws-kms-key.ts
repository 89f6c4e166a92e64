import { DecryptCommand, EncryptCommand, GenerateDataKeyCommand, type DecryptResponse } from '@aws-sdk/client-kms';

import type { Health } from '../../base/health.ts';
import { messageOf } from '../../base/message-of.ts';
import { SecretBytes } from '../../crypto/secret-bytes.ts';
import { isUnavailable, wrongKeyError } from '../key-errors.ts';
import {
  KeyError,
  type EncryptionContext,
  type KeyDescription,
  type KeyProvider,
  type NewKey,
  type WrappedKey,
} from '../key-provider.ts';
import { quoted } from '../quoted.ts';
import { materialOf, parseKeyArn, parseVersion, versionOfArn, versionText, isAlias } from './key-arn.ts';
import { unusable } from './key-state.ts';
import { KmsCalls } from './kms-calls.ts';
import { createKmsClients } from './kms-client.ts';
import { saysWrongKey } from './kms-errors.ts';
import type { AwsKmsOptions } from './kms-options.ts';
import { rotateOnDemand, switchAlias } from './kms-rotation.ts';

const wrappedKeyBytes = 32;
const maxCiphertextBytes = 1_024;

/**
 * Key provider over AWS KMS: makes keys with GenerateDataKey, unwraps with Decrypt, with policy and bucket as the encryption
 * context. A version is the ARN of a key and the beginning of the id of its key material, or the ARN alone where the service
 * tells no id. What `keyId` means now is current, `previousKeyIds` are older ones. AWS KMS keeps all material of a key and finds
 * it by itself, so what is read is decided by the ARN: the versions of one ARN are of one family.
 */
export class AwsKmsKey implements KeyProvider {
  readonly name: string;
  /**
   * An alias can come to mean another key at any time, and a key another material, but each question costs money, and the next
   * bucket key is wrapped under what is current then in any case.
   */
  readonly describeTtlMs = 300_000;
  readonly unknownVersionAdvice =
    'it is neither what keyId means now nor one of previousKeyIds, where the keys belong that objects are still under';
  readonly #options: AwsKmsOptions;
  readonly #calls: KmsCalls;
  /** ARN to ask for, by family. */
  readonly #arns = new Map<string, string>();
  /** ARNs of the names in `previousKeyIds` that are not aliases. */
  readonly #resolved = new Map<string, string>();
  /** Families of whose material one of the operations tells no id: they must not differ in what they say of one version. */
  readonly #untold = new Set<string>();

  private constructor(options: AwsKmsOptions, calls: KmsCalls) {
    this.name = options.name;
    this.#options = options;
    this.#calls = calls;
  }

  /** Asks nothing of the service yet. */
  static async open(options: AwsKmsOptions): Promise<AwsKmsKey> {
    return new AwsKmsKey(options, new KmsCalls(options, await createKmsClients(options)));
  }

  /** The key, by its ARN. */
  familyOf(version: string): string {
    return parseVersion(version).key;
  }

  async describe(signal?: AbortSignal): Promise<KeyDescription> {
    // The current key is asked for in any case: a description says that the key is there.
    const { Arn: arn, CurrentKeyMaterialId: material } = await this.#calls.describeKey(this.#options.keyId, signal);
    const current = await this.#toldOf(arn, material);
    const previous = await this.#previous(signal);
    previous.delete(this.familyOf(current));
    return { versions: [current, ...previous] };
  }

  async makeKey(context: EncryptionContext, signal?: AbortSignal): Promise<NewKey> {
    const keyId = await this.#calls.here(this.#options.keyId);
    const command = new GenerateDataKeyCommand({
      KeyId: keyId,
      NumberOfBytes: wrappedKeyBytes,
      EncryptionContext: contextOf(context),
    });
    const answer = await this.#calls.run(
      { what: 'generate a data key', keyId, signal, client: 'patient' },
      (kms, options) => kms.send(command, options),
    );
    const { KeyId: arn, KeyMaterialId: material, CiphertextBlob: ciphertext, Plaintext: plaintext } = answer;
    if (arn === undefined || ciphertext === undefined || plaintext?.length !== wrappedKeyBytes) {
      plaintext?.fill(0);
      throw this.#calls.noKms();
    }
    return { key: new SecretBytes(plaintext), wrapped: { version: await this.#toldOf(arn, material), ciphertext } };
  }

  /** For a key that is there already; the gateway uses `makeKey`. A Decrypt says which material Encrypt has taken. */
  async wrap(key: SecretBytes, context: EncryptionContext, signal?: AbortSignal): Promise<WrappedKey> {
    if (key.bytes.length !== wrappedKeyBytes) throw new RangeError(`only keys of ${wrappedKeyBytes} bytes are wrapped`);
    this.#calls.checkOpen(signal);
    const keyId = await this.#calls.here(this.#options.keyId);
    const command = new EncryptCommand({ KeyId: keyId, Plaintext: key.bytes, EncryptionContext: contextOf(context) });
    const { KeyId: arn, CiphertextBlob: ciphertext } = await this.#calls.run(
      { what: 'encrypt', keyId, signal, client: 'patient' },
      (kms, options) => kms.send(command, options),
    );
    if (arn === undefined || ciphertext === undefined) throw this.#calls.noKms();
    const version = await this.#versionOf(arn, undefined);
    const { Plaintext: plaintext, KeyMaterialId: material } = await this.#decrypt(
      { version, ciphertext },
      context,
      signal,
    );
    plaintext?.fill(0);
    return { version: await this.#versionOf(arn, material), ciphertext };
  }

  async unwrap(wrapped: WrappedKey, context: EncryptionContext, signal?: AbortSignal): Promise<SecretBytes> {
    const { version } = wrapped;
    const { key, material } = parseVersion(version);
    const {
      KeyId: usedArn = '',
      KeyMaterialId: usedId,
      Plaintext: plaintext,
    } = await this.#decrypt(wrapped, context, signal);
    const used = materialOf(usedId);
    const isOfVersion =
      versionOfArn(usedArn) === key && (material === undefined || used === undefined || used === material);
    if (plaintext?.length === wrappedKeyBytes && isOfVersion) return new SecretBytes(plaintext);
    plaintext?.fill(0);
    throw wrongKeyError(this.name, version);
  }

  async health(signal?: AbortSignal): Promise<Health> {
    const { keyId } = this.#options;
    try {
      const reason = unusable(await this.#calls.describeKey(keyId, signal, 'immediate'));
      return reason === undefined ? { ok: true } : { ok: false, reason: `key ${keyId} ${reason}` };
    } catch (error) {
      return { ok: false, reason: messageOf(error), isAway: !this.#calls.isClosed && isUnavailable(error) };
    }
  }

  /** On demand, in AWS KMS: new material of the same key. */
  async rotate(signal?: AbortSignal): Promise<string> {
    await rotateOnDemand({ calls: this.#calls, keyId: this.#options.keyId, signal });
    return await this.#current(signal);
  }

  /** Switches the alias; `keyId` is an id or ARN. */
  async switchTo(keyId: string, signal?: AbortSignal): Promise<string> {
    const previous = await this.#previous(signal);
    const administration = { calls: this.#calls, keyId: this.#options.keyId, signal };
    await switchAlias(administration, { to: keyId, previous });
    return await this.#current(signal);
  }

  close(): Promise<void> {
    this.#calls.close();
    return Promise.resolve();
  }

  async #current(signal: AbortSignal | undefined): Promise<string> {
    return (await this.describe(signal)).versions[0] ?? '';
  }

  async #decrypt(
    { version, ciphertext }: WrappedKey,
    context: EncryptionContext,
    signal: AbortSignal | undefined,
  ): Promise<DecryptResponse> {
    this.#calls.checkOpen(signal);
    const arn = await this.#arnOf(version, signal);
    if (ciphertext.length === 0 || ciphertext.length > maxCiphertextBytes) throw wrongKeyError(this.name, version);
    const command = new DecryptCommand({
      KeyId: arn,
      CiphertextBlob: ciphertext,
      EncryptionContext: contextOf(context),
    });
    return await this.#calls.run({ what: 'decrypt', keyId: arn, signal, client: 'patient' }, async (kms, options) => {
      try {
        return await kms.send(command, options);
      } catch (error) {
        throw saysWrongKey(error) ? wrongKeyError(this.name, version, error) : error;
      }
    });
  }

  /** Families of `previousKeyIds`, newest first. */
  async #previous(signal: AbortSignal | undefined): Promise<Set<string>> {
    const families = new Set<string>();
    for (const keyId of this.#options.previousKeyIds) families.add(await this.#familyOfKeyId(keyId, signal));
    return families;
  }

  async #familyOfKeyId(keyId: string, signal: AbortSignal | undefined): Promise<string> {
    const known = parseKeyArn(keyId) === undefined ? this.#resolved.get(keyId) : keyId;
    if (known !== undefined) return await this.#remember(known);
    const { Arn: arn } = await this.#calls.describeKey(keyId, signal);
    if (!isAlias(keyId)) this.#resolved.set(keyId, arn);
    return await this.#remember(arn);
  }

  /** The version that a key and the id of its material stand for, which can be unwrapped from now on. */
  async #versionOf(arn: string, keyMaterialId: string | undefined): Promise<string> {
    const key = await this.#remember(arn);
    return versionText({ key, material: this.#untold.has(key) ? undefined : materialOf(keyMaterialId) });
  }

  /** The version of an answer that ought to tell the id of the material. */
  async #toldOf(arn: string, keyMaterialId: string | undefined): Promise<string> {
    if (materialOf(keyMaterialId) === undefined) this.#untold.add(versionOfArn(arn));
    return await this.#versionOf(arn, keyMaterialId);
  }

  async #remember(arn: string): Promise<string> {
    const family = versionOfArn(arn);
    if (!this.#arns.has(family)) this.#arns.set(family, await this.#calls.here(arn));
    return family;
  }

  async #arnOf(version: string, signal: AbortSignal | undefined): Promise<string> {
    const { key } = parseVersion(version);
    if (!this.#arns.has(key)) await this.describe(signal);
    const arn = this.#arns.get(key);
    if (arn !== undefined) return arn;
    throw new KeyError(
      'not_found',
      `key ${quoted(this.name)} has no version ${quoted(version)}: ${this.unknownVersionAdvice}`,
    );
  }
}

/** Policies of keys and roles can name it: `kms:EncryptionContext:bucket`. */
function contextOf({ policy, bucket }: EncryptionContext): Record<string, string> {
  return { policy, bucket };
}
