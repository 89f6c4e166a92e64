import { createSecretKey, type KeyObject } from 'node:crypto';

import { writeU64 } from '../base/write-u64.ts';
import { expandSha384 } from './kdf.ts';
import type { SecretBytes } from './secret-bytes.ts';

const messageKeyBytes = 48;
const segmentKeyBytes = 32;
const headerTagBytes = 32;

const headerTagPurpose = Buffer.from('HEADER_TAG:');
const messageKeyPurpose = Buffer.from('MESSAGE_KEY:');
const segmentKeyPurpose = Buffer.from('DEK:');

/** What every derivation of one FLOE message is bound to: encoded parameters and FLOE IV (42 bytes), and the AAD. */
export interface FloeContext {
  readonly parametersAndIv: Uint8Array;
  readonly aad: Uint8Array;
}

/** The 32-byte tag that commits a FLOE header to key, parameters, IV and AAD. */
export function floeHeaderTag(key: SecretBytes, context: FloeContext): Uint8Array {
  // The tag is no secret: it stands in the header.
  return expand(key.bytes, context, [headerTagPurpose], headerTagBytes).bytes;
}

/**
 * Segment keys of one message: derives the message key at once and a segment key per rotation block when it is needed;
 * the last one is kept, as neighbours in a stream share it.
 */
export class FloeSegmentKeys implements Disposable {
  readonly #messageKey: SecretBytes;
  readonly #context: FloeContext;
  readonly #blockSegments: number;
  #cached: { readonly block: number; readonly key: KeyObject } | undefined;

  /** `rotationMaskBits`: a key serves 2^bits neighbouring segments. */
  constructor(key: SecretBytes, context: FloeContext, rotationMaskBits: number) {
    this.#messageKey = expand(key.bytes, context, [messageKeyPurpose], messageKeyBytes);
    this.#context = context;
    this.#blockSegments = 2 ** rotationMaskBits;
  }

  /** The cipher key of the segment at `position` (DERIVE_KEY of the specification). */
  keyAt(position: number): KeyObject {
    // Positions reach 2^40, past what bitwise operators can mask.
    const block = position - (position % this.#blockSegments);
    if (this.#cached?.block !== block) this.#cached = { block, key: this.#derive(block) };
    return this.#cached.key;
  }

  /** Zeroes the message key and lets go of the segment key, whose memory OpenSSL clears when it is freed. */
  dispose(): void {
    this.#messageKey.dispose();
    this.#cached = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #derive(block: number): KeyObject {
    const number = Buffer.allocUnsafe(8);
    writeU64(number, block, 0);
    using derived = expand(this.#messageKey.bytes, this.#context, [segmentKeyPurpose, number], segmentKeyBytes);
    return createSecretKey(derived.bytes);
  }
}

/**
 * FLOE_KDF: HKDF-Expand-SHA-384 over `parameters | iv | purpose | aad`, without the extraction before it. No output of FLOE
 * is longer than one hash.
 */
function expand(
  prk: Uint8Array,
  { parametersAndIv, aad }: FloeContext,
  purpose: readonly Uint8Array[],
  length: number,
): SecretBytes {
  return expandSha384(prk, [parametersAndIv, ...purpose, aad], length);
}
