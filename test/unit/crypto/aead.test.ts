import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { describe, it } from 'node:test';

import { AeadError, openAead, sealAead, type AeadSuite } from '../../../src/crypto/aead.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { needs } from '../../support/gaps.ts';

const suites: readonly AeadSuite[] = ['aes-256-gcm', 'chacha20-poly1305'];
const key = SecretBytes.copyOf(Buffer.alloc(32, 0x5a));
const aad = Buffer.from('bucket/key');
const plaintext = Buffer.from('sealed once');

function assertRefused(open: () => unknown): void {
  assert.throws(open, (error) => {
    assert.ok(error instanceof AeadError);
    assert.equal(error.code, 'authentication_failed');
    assert.equal(error.message, 'sealed bytes failed authentication');
    return true;
  });
}

for (const suite of suites) {
  describe(`sealAead and openAead with ${suite}`, () => {
    const options = suite === 'aes-256-gcm' ? {} : needs('chacha');

    it('open gives back what was sealed, also nothing', options, () => {
      for (const value of [plaintext, Buffer.alloc(0), Buffer.alloc(70_000, 3)]) {
        const sealed = sealAead({ key, plaintext: value, aad, suite });
        assert.equal(sealed.length, 12 + value.length + 16);
        assert.deepEqual(Buffer.from(openAead({ key, sealed, aad, suite })), value);
      }
    });

    it('draws a fresh nonce each time', options, () => {
      const first = sealAead({ key, plaintext, aad, suite });
      const second = sealAead({ key, plaintext, aad, suite });
      assert.notDeepEqual(first.subarray(0, 12), second.subarray(0, 12));
    });

    it('refuses every single flipped bit, every cut, and added bytes', options, () => {
      const sealed = sealAead({ key, plaintext, aad, suite });
      for (let bit = 0; bit < sealed.length * 8; bit += 1) {
        const flipped = Buffer.from(sealed);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        assertRefused(() => openAead({ key, sealed: flipped, aad, suite }));
      }
      for (let length = 0; length < sealed.length; length += 1) {
        assertRefused(() => openAead({ key, sealed: sealed.subarray(0, length), aad, suite }));
      }
      assertRefused(() => openAead({ key, sealed: Buffer.concat([sealed, Buffer.alloc(1)]), aad, suite }));
    });

    it('refuses another AAD or key', options, () => {
      const sealed = sealAead({ key, plaintext, aad, suite });
      assertRefused(() => openAead({ key, sealed, aad: Buffer.from('bucket/kez'), suite }));
      assertRefused(() => openAead({ key: SecretBytes.copyOf(Buffer.alloc(32)), sealed, aad, suite }));
    });

    it('refuses another suite', needs('chacha'), () => {
      const sealed = sealAead({ key, plaintext, aad, suite });
      const other = suites.find((candidate) => candidate !== suite);
      assert.ok(other !== undefined);
      assertRefused(() => openAead({ key, sealed, aad, suite: other }));
    });
  });
}

describe('sealAead', () => {
  it('is AES-256-GCM under the nonce that was drawn (Web Crypto opens it)', async () => {
    const iv = Buffer.from('0102030405060708090a0b0c', 'hex');
    const sealed = sealAead({ key, plaintext, aad, random: () => iv });
    assert.deepEqual(sealed.subarray(0, 12), iv);
    const webKey = await webcrypto.subtle.importKey('raw', Buffer.alloc(32, 0x5a), 'AES-GCM', false, ['decrypt']);
    const opened = await webcrypto.subtle.decrypt(
      { name: 'AES-GCM', iv, additionalData: aad },
      webKey,
      Buffer.from(sealed.subarray(12)),
    );
    assert.deepEqual(Buffer.from(opened), plaintext);
  });

  it('refuses a key of another length', () => {
    assert.throws(() => sealAead({ key: SecretBytes.copyOf(Buffer.alloc(16)), plaintext, aad }));
  });
});
