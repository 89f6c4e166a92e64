import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

import type { SecretBytes } from './secret-bytes.ts';

const messageKeyBytes = 48;
const segmentKeyBytes = 32;
const headerTagBytes = 32;

/** What every derivation of one FLOE message is bound to: encoded parameters and FLOE IV (42 bytes), and the AAD. */
export interface FloeContext {
  readonly parametersAndIv: Uint8Array;
  readonly aad: Uint8Array;
}

/** The 32-byte tag that commits a FLOE header to key, parameters, IV and AAD. */
export function floeHeaderTag(key: SecretBytes, context: FloeContext): Buffer {
  return expand(key.bytes, context, Buffer.from('HEADER_TAG:')).subarray(0, headerTagBytes);
}

/**
 * Segment keys of one message: derives the message key at once and a segment key per rotation block when it is needed;
 * the last one is kept, as neighbours in a stream share it.
 */
export class FloeSegmentKeys implements Disposable {
  readonly #messageKey: Buffer;
  readonly #context: FloeContext;
  readonly #blockSegments: number;
  #cached: { readonly block: number; readonly key: KeyObject } | undefined;

  /** `rotationMaskBits`: a key serves 2^bits neighbouring segments. */
  constructor(key: SecretBytes, context: FloeContext, rotationMaskBits: number) {
    this.#messageKey = expand(key.bytes, context, Buffer.from('MESSAGE_KEY:')).subarray(0, messageKeyBytes);
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
    this.#messageKey.fill(0);
    this.#cached = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #derive(block: number): KeyObject {
    const purpose = Buffer.alloc(12, 'DEK:');
    purpose.writeBigUInt64BE(BigInt(block), 4);
    const derived = expand(this.#messageKey, this.#context, purpose);
    const key = createSecretKey(derived.subarray(0, segmentKeyBytes));
    derived.fill(0);
    return key;
  }
}

/**
 * FLOE_KDF: HKDF-Expand-SHA-384 over `parameters | iv | purpose | aad`. No output of FLOE is longer than one hash, so
 * it is the first block T(1) = HMAC(prk, info | 0x01) of RFC 5869; the caller cuts it to length. HKDF of node:crypto
 * cannot be used: it extracts first.
 */
function expand(prk: Uint8Array, context: FloeContext, purpose: Uint8Array): Buffer {
  return createHmac('sha384', prk)
    .update(context.parametersAndIv)
    .update(purpose)
    .update(context.aad)
    .update(Uint8Array.of(1))
    .digest();
}
