import { timingSafeEqual } from 'node:crypto';

import { expandSha384, extractSha384 } from '../crypto/kdf.ts';
import { systemRandom, type RandomSource } from '../crypto/random.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import { authenticationFailed } from './envelope-error.ts';
import { u16, u32 } from './field-reader.ts';
import { maxPartNumber } from './sizes.ts';

/** Length of a DEK and of every key derived from it. */
const dekBytes = 32;
/** Length of the salt. */
export const saltBytes = 32;
/** Length of the commitment. */
export const commitmentBytes = 32;

/** Length of a proof of a part's checksum. */
const partChecksumProofBytes = 8;

const maxNameBytes = 0xffff;

const commitmentPurpose = Buffer.from('s3eg1 commit');
const partPurpose = Buffer.from('s3eg1 part ');
const indexPurpose = Buffer.from('s3eg1 index');
const metadataPurpose = Buffer.from('s3eg1 meta');

/** An object's DEK, salt and commitment, and the keys that follow from them. Derived keys are the caller's to dispose. */
export class ObjectSecrets implements Disposable {
  readonly dek: SecretBytes;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  /** DEK and salt, extracted: what HKDF expands to each key. Lives as long as the DEK, and is as secret. */
  readonly #extracted: SecretBytes;

  private constructor(secrets: Pick<ObjectSecrets, 'dek' | 'salt' | 'commitment'>, extracted: SecretBytes) {
    this.dek = secrets.dek;
    this.salt = secrets.salt;
    this.commitment = secrets.commitment;
    this.#extracted = extracted;
  }

  /** Fresh secrets: once per PutObject and per CreateMultipartUpload (F1-KEY-1). `random` is injected by tests only. */
  static generate(random: RandomSource = systemRandom): ObjectSecrets {
    return ObjectSecrets.of(new SecretBytes(random(dekBytes)), random(saltBytes));
  }

  /** Takes ownership of `dek` (32 bytes, as the salt). */
  static of(dek: SecretBytes, salt: Uint8Array): ObjectSecrets {
    if (dek.bytes.length !== dekBytes || salt.length !== saltBytes) {
      throw new RangeError('a DEK and a salt have 32 bytes each');
    }
    const extracted = extractSha384(dek, salt);
    // The commitment is no secret: it stands in the envelope.
    const commitment = expandSha384(extracted.bytes, [commitmentPurpose], commitmentBytes).bytes;
    return new ObjectSecrets({ dek, salt: new Uint8Array(salt), commitment }, extracted);
  }

  /**
   * Compares with an envelope's commitment in constant time, before anything is opened (F1-KEY-2).
   * @throws EnvelopeError `authentication_failed`.
   */
  verifyCommitment(commitment: Uint8Array): void {
    if (commitment.length !== commitmentBytes || !timingSafeEqual(commitment, this.commitment)) {
      throw authenticationFailed();
    }
  }

  /** Key of the FLOE message of a part; part number 0 is the single layout's (F1-MSG-3). */
  messageKey(partNumber: number): SecretBytes {
    if (!Number.isInteger(partNumber) || partNumber < 0 || partNumber > maxPartNumber) {
      throw new RangeError(`a part number is 0 to ${maxPartNumber}`);
    }
    return this.#derive([partPurpose, u32(partNumber)]);
  }

  indexKey(): SecretBytes {
    return this.#derive([indexPurpose]);
  }

  metadataKey(): SecretBytes {
    return this.#derive([metadataPurpose]);
  }

  /**
   * Proof that whoever held these secrets checked `checksum` against the attempt of a part: 8 bytes. It is not part of the
   * stored format; it lets a client carry the checksum to Complete without being able to make one up.
   */
  partChecksumProof(part: {
    readonly partNumber: number;
    /** 8 bytes. */
    readonly attemptTag: Uint8Array;
    /** Algorithm and value, in a form of one meaning. */
    readonly checksum: Uint8Array;
  }): Uint8Array {
    const info = [Buffer.from('s3eg1 part checksum '), u32(part.partNumber), part.attemptTag, part.checksum];
    // Shown to the client: no secret either.
    return expandSha384(this.#extracted.bytes, info, partChecksumProofBytes).bytes;
  }

  /** The same secrets under their own lifetime. */
  clone(): ObjectSecrets {
    const { salt, commitment } = this;
    return new ObjectSecrets({ dek: this.dek.clone(), salt, commitment }, this.#extracted.clone());
  }

  dispose(): void {
    this.dek.dispose();
    this.#extracted.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #derive(info: readonly Uint8Array[]): SecretBytes {
    return expandSha384(this.#extracted.bytes, info, dekBytes);
  }
}

/**
 * AAD under which a bucket key wraps an object's DEK (F1-KEY-3); bucket and key as in the request, percent-decoded.
 * @throws RangeError for a name of more than 65 535 bytes.
 */
export function dekAad(bucket: string, key: string, commitment: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from('s3eg1 dek'), ...named(bucket), ...named(key), commitment]);
}

function named(text: string): readonly Uint8Array[] {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > maxNameBytes) throw new RangeError('a bucket or key name is too long');
  return [u16(bytes.length), bytes];
}
