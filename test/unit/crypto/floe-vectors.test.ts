import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';

import { FloeEncryptor } from '../../../src/crypto/floe.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { decryptMessage, floeError, pieces, scriptedRandom } from './floe-support.ts';

const folder = new URL('../../vectors/floe/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('_ct.txt'))
  .map((name) => name.slice(0, -'_ct.txt'.length));

const key = Buffer.alloc(32);
const aad = Buffer.from('This is AAD');

function readHex(name: string): Buffer {
  const text = readFileSync(new URL(name, folder), 'ascii').trim();
  const bytes = Buffer.from(text, 'hex');
  assert.equal(bytes.length * 2, text.length, `${name} is not hex throughout`);
  return bytes;
}

interface KnownAnswer {
  readonly message: Buffer;
  readonly plaintext: Buffer;
  readonly rotationMaskBits: number;
  readonly segments: readonly Uint8Array[];
}

function knownAnswer(name: string): KnownAnswer {
  const message = readHex(`${name}_ct.txt`);
  const segments = pieces(message.subarray(74), message.readUInt32BE(2));
  const rotationMaskBits = name.endsWith('_rotation') ? 2 : 20;
  return { message, plaintext: readHex(`${name}_pt.txt`), rotationMaskBits, segments };
}

function flip(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return flipped;
}

it('has the known answers of all four implementations', () => {
  assert.equal(names.length, 14);
});

for (const name of names) {
  describe(`FLOE known answer ${name}`, () => {
    const { message, plaintext, rotationMaskBits, segments } = knownAnswer(name);

    it('decrypts to its plaintext', () => {
      assert.deepEqual(decryptMessage({ key, aad, message, rotationMaskBits }), plaintext);
    });

    it('is what encryption writes, byte for byte, with the same IVs', () => {
      const ivs = segments.map((segment) => segment.subarray(4, 16));
      const random = scriptedRandom(Buffer.concat([message.subarray(10, 42), ...ivs]));
      const segmentSizeBytes = message.readUInt32BE(2) - 32;
      const parameters = { suite: 'aes-256-gcm', segmentSizeBytes } as const;
      using secret = SecretBytes.copyOf(key);
      using encryptor = new FloeEncryptor(secret, aad, parameters, { random, rotationMaskBits });
      let offset = 0;
      const written = segments.map((segment, position) => {
        const part = plaintext.subarray(offset, (offset += segment.length - 32));
        return encryptor.encryptSegment(position, [part], position === segments.length - 1);
      });
      assert.deepEqual(Buffer.concat([encryptor.header, ...written]), message);
    });

    it('fails with other AAD, another key, and without each of its segments', () => {
      const refused = floeError('header_invalid');
      const otherKey = flip(key, 255);
      assert.throws(() => decryptMessage({ key, aad: Buffer.from('This is AAd'), message }), refused);
      assert.throws(() => decryptMessage({ key: otherKey, aad, message }), refused);
      for (const dropped of segments.keys()) {
        const rest = segments.filter((_, position) => position !== dropped);
        const shorter = Buffer.concat([message.subarray(0, 74), ...rest]);
        assert.throws(
          () => decryptMessage({ key, aad, message: shorter, rotationMaskBits }),
          floeError('segment_invalid'),
        );
      }
    });
  });
}

describe('FLOE known answers, tampered with', () => {
  for (const name of ['go_GCM256_IV256_64', 'java_lastSegAligned', 'java_lastSegEmpty', 'cpp_rotation']) {
    it(`${name}: every single flipped bit fails`, () => {
      const { message, rotationMaskBits } = knownAnswer(name);
      for (let bit = 0; bit < message.length * 8; bit += 1) {
        const codes = bit < 80 ? (['header_invalid', 'parameters_unsupported'] as const) : [];
        const expected = bit < 74 * 8 ? (['header_invalid', ...codes] as const) : (['segment_invalid'] as const);
        const flipped = flip(message, bit);
        assert.throws(() => decryptMessage({ key, aad, message: flipped, rotationMaskBits }), floeError(...expected));
      }
    });

    it(`${name}: every cut and every added byte fails`, () => {
      const { message, rotationMaskBits } = knownAnswer(name);
      for (let length = 0; length < message.length; length += 1) {
        const cut = message.subarray(0, length);
        const code = length < 74 ? 'header_invalid' : 'segment_invalid';
        assert.throws(() => decryptMessage({ key, aad, message: cut, rotationMaskBits }), floeError(code));
      }
      for (const extra of [1, 32, 64]) {
        const longer = Buffer.concat([message, message.subarray(message.length - extra)]);
        assert.throws(
          () => decryptMessage({ key, aad, message: longer, rotationMaskBits }),
          floeError('segment_invalid'),
        );
      }
    });
  }

  it('any two segments in each other’s place fail', () => {
    const { message, segments, rotationMaskBits } = knownAnswer('rust_rotation');
    for (let first = 0; first < segments.length - 2; first += 1) {
      const swapped = [...segments];
      [swapped[first], swapped[first + 1]] = [segments[first + 1] ?? key, segments[first] ?? key];
      const forged = Buffer.concat([message.subarray(0, 74), ...swapped]);
      assert.throws(
        () => decryptMessage({ key, aad, message: forged, rotationMaskBits }),
        floeError('segment_invalid'),
      );
    }
  });

  it('the segments of another message under the same key fail', () => {
    const mine = knownAnswer('go_GCM256_IV256_64');
    const other = knownAnswer('java_GCM256_IV256_64');
    const forged = Buffer.concat([mine.message.subarray(0, 74), other.message.subarray(74)]);
    assert.throws(() => decryptMessage({ key, aad, message: forged }), floeError('segment_invalid'));
  });
});
