import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

import { AeadError, openAead } from '../crypto/aead.ts';
import { hpkeOverheadBytes, openHpke, rawPublicKey, sealHpke } from '../crypto/hpke.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { encodeContext } from './encryption-context.ts';
import { KeyError, type EncryptionContext } from './key-provider.ts';

const idBytes = 8;
const bucketKeyBytes = 32;
const info = Buffer.from('s3eg1 recovery', 'utf8');

/** Length of a bucket key that is sealed for recovery: `key id(8) | enc(32) | ciphertext(32) | tag(16)`. */
export const recoveryWrapBytes = idBytes + hpkeOverheadBytes + bucketKeyBytes;

/** The public half of a recovery key: bucket keys are sealed for it, and opened offline only. */
export class RecoveryPublicKey {
  /** 16 hex digits, from the SHA-256 of the key: tells recovery keys apart. */
  readonly id: string;
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.id = idOf(key).toString('hex');
  }

  /** @throws KeyError `misconfigured` for what is not the PEM text (SPKI) of an X25519 public key. */
  static ofPem(pem: string): RecoveryPublicKey {
    // Node makes a public key of a private one too, which must not lie about beside a gateway.
    if (pem.includes('PRIVATE KEY')) {
      throw new KeyError('misconfigured', 'this is a private recovery key: keep it offline, and give the public one');
    }
    return new RecoveryPublicKey(keyOf(() => createPublicKey(pem), 'an X25519 public key in PEM'));
  }

  /** A bucket key for the envelopes of objects in this context (F1-REC-2). */
  seal(bucketKey: SecretBytes, context: EncryptionContext): Uint8Array {
    const sealed = sealHpke({ recipient: this.#key, info, aad: encodeContext(context), plaintext: bucketKey.bytes });
    return Buffer.concat([idOf(this.#key), sealed]);
  }
}

/** The private half, for a restore without gateway and key service. */
export class RecoveryPrivateKey {
  readonly id: string;
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.id = idOf(createPublicKey(key)).toString('hex');
  }

  /** @throws KeyError `misconfigured` for what is not the PEM text (PKCS #8) of an X25519 private key. */
  static ofPem(pem: string): RecoveryPrivateKey {
    return new RecoveryPrivateKey(keyOf(() => createPrivateKey(pem), 'an X25519 private key in PEM'));
  }

  /**
   * The data key of an envelope, which is the caller's to dispose.
   * @throws KeyError `not_found` where it has no seal for this key, `wrong_key`.
   */
  openDataKey(
    { recovery, wrappedDek }: { readonly recovery?: Uint8Array; readonly wrappedDek: Uint8Array },
    { context, aad }: { readonly context: EncryptionContext; readonly aad: Uint8Array },
  ): SecretBytes {
    if (recovery === undefined) {
      throw new KeyError('not_found', 'the object was written without a recovery key: only its own key opens it');
    }
    using bucketKey = this.open(recovery, context);
    try {
      return new SecretBytes(openAead({ key: bucketKey, sealed: wrappedDek, aad }));
    } catch (error) {
      if (!(error instanceof AeadError)) throw error;
      throw new KeyError('wrong_key', 'the data key does not open: of another object, or altered', { cause: error });
    }
  }

  /**
   * The bucket key, which is the caller's to dispose.
   * @throws KeyError `not_found` where it was sealed for another recovery key, `wrong_key` for another context or altered bytes.
   */
  open(wrapped: Uint8Array, context: EncryptionContext): SecretBytes {
    const id = Buffer.from(wrapped.subarray(0, idBytes)).toString('hex');
    if (id !== this.id) {
      throw new KeyError('not_found', `the object is for recovery key ${id}, and this is recovery key ${this.id}`);
    }
    try {
      const sealed = wrapped.subarray(idBytes);
      return new SecretBytes(openHpke({ recipient: this.#key, info, aad: encodeContext(context), sealed }));
    } catch (error) {
      if (!(error instanceof AeadError)) throw error;
      throw new KeyError('wrong_key', 'the recovery key does not open this: another context, or altered bytes', {
        cause: error,
      });
    }
  }
}

function keyOf(read: () => KeyObject, what: string): KeyObject {
  try {
    const key = read();
    if (key.asymmetricKeyType === 'x25519') return key;
  } catch {
    // The engine's message may quote the text.
  }
  throw new KeyError('misconfigured', `a recovery key must be ${what}`);
}

/** F1-REC-1 */
function idOf(publicKey: KeyObject): Buffer {
  return createHash('sha256').update(rawPublicKey(publicKey)).digest().subarray(0, idBytes);
}
