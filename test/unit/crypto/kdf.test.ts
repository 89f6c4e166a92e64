import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { expandSha384, extractSha384 } from '../../../src/crypto/kdf.ts';
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

describe('extractSha384 and expandSha384', () => {
  it('are together the HKDF-SHA-384 of Web Crypto for any input', async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes(200, 1),
        bytes(200),
        bytes(1200),
        fc.integer({ min: 1, max: 48 }),
        async (ikm, salt, info, length) => {
          using extracted = extractSha384(SecretBytes.copyOf(ikm), salt);
          using derived = expandSha384(extracted.bytes, [info.subarray(0, 3), info.subarray(3)], length);
          assert.deepEqual(Buffer.from(derived.bytes), await webHkdf(ikm, salt, info, length));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leave the input key and the extracted one alone', () => {
    using ikm = SecretBytes.copyOf(Buffer.alloc(32, 7));
    using extracted = extractSha384(ikm, Buffer.alloc(16));
    const before = Buffer.from(extracted.bytes);
    using derived = expandSha384(extracted.bytes, [Buffer.from('purpose')], 32);
    assert.equal(derived.bytes.length, 32);
    assert.deepEqual(Buffer.from(ikm.bytes), Buffer.alloc(32, 7));
    assert.deepEqual(Buffer.from(extracted.bytes), before);
  });

  it('leave nothing of a key behind when it is disposed, not even what was cut off', () => {
    using extracted = extractSha384(SecretBytes.copyOf(Buffer.alloc(32, 7)), Buffer.alloc(16));
    const derived = expandSha384(extracted.bytes, [Buffer.from('purpose')], 20);
    const { buffer, byteOffset } = derived.bytes;
    derived.dispose();
    assert.deepEqual(Buffer.from(buffer, byteOffset, 48), Buffer.alloc(48));
  });

  it('refuse what would take a second block', () => {
    assert.throws(() => expandSha384(Buffer.alloc(48), [], 49), RangeError);
  });
});
