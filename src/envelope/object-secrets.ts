import { timingSafeEqual } from 'node:crypto';

import { hkdfSha384 } from '../crypto/kdf.ts';
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

/** An object's DEK, salt and commitment, and the keys that follow from them. Derived keys are the caller's to dispose. */
export class ObjectSecrets implements Disposable {
  readonly dek: SecretBytes;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;

  private constructor(dek: SecretBytes, salt: Uint8Array, commitment: Uint8Array) {
    this.dek = dek;
    this.salt = salt;
    this.commitment = commitment;
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
    // The commitment is no secret: it stands in the envelope.
    using commitment = hkdfSha384(dek, salt, 's3eg1 commit', commitmentBytes);
    return new ObjectSecrets(dek, Uint8Array.from(salt), Uint8Array.from(commitment.bytes));
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
    return this.#derive(Buffer.concat([Buffer.from('s3eg1 part '), u32(partNumber)]));
  }

  indexKey(): SecretBytes {
    return this.#derive(Buffer.from('s3eg1 index'));
  }

  metadataKey(): SecretBytes {
    return this.#derive(Buffer.from('s3eg1 meta'));
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
    using proof = hkdfSha384(this.dek, this.salt, Buffer.concat(info), partChecksumProofBytes);
    return Uint8Array.from(proof.bytes);
  }

  /** The same secrets under their own lifetime. */
  clone(): ObjectSecrets {
    return new ObjectSecrets(this.dek.clone(), this.salt, this.commitment);
  }

  dispose(): void {
    this.dek.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #derive(info: Uint8Array): SecretBytes {
    return hkdfSha384(this.dek, this.salt, info, dekBytes);
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
