import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { hkdfSha384 } from '../../../src/crypto/kdf.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';

/** Web Crypto's HKDF: an implementation of RFC 5869 in the runtime beside the one that is under test. */
async function webHkdf(
  ikm: Uint8Array<ArrayBuffer>,
  salt: Uint8Array<ArrayBuffer>,
  info: Uint8Array<ArrayBuffer>,
  length: number,
): Promise<Buffer> {
  const key = await webcrypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits']);
  const parameters = { name: 'HKDF', hash: 'SHA-384', salt, info };
  return Buffer.from(await webcrypto.subtle.deriveBits(parameters, key, length * 8));
}

const bytes = (maxLength: number, minLength = 0) =>
  fc.uint8Array({ minLength, maxLength }).map((value) => Uint8Array.from(value));

describe('hkdfSha384', () => {
  it('is the HKDF-SHA-384 of Web Crypto for any input', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes(64, 1),
        bytes(64),
        bytes(200),
        fc.integer({ min: 1, max: 200 }),
        async (ikm, salt, info, length) => {
          const derived = hkdfSha384(SecretBytes.copyOf(ikm), salt, info, length);
          assert.deepEqual(Buffer.from(derived.bytes), await webHkdf(ikm, salt, info, length));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes a text purpose as UTF-8 and leaves the input key alone', () => {
    using ikm = SecretBytes.copyOf(Buffer.alloc(32, 7));
    const fromText = hkdfSha384(ikm, Buffer.alloc(16), 'part é', 32);
    const fromBytes = hkdfSha384(ikm, Buffer.alloc(16), Buffer.from('part é', 'utf8'), 32);
    assert.ok(fromText.equals(fromBytes));
    assert.ok(!fromText.equals(hkdfSha384(ikm, Buffer.alloc(16), 'part e', 32)));
    assert.deepEqual(Buffer.from(ikm.bytes), Buffer.alloc(32, 7));
  });
});
