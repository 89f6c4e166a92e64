import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';

import * as fc from 'fast-check';

import {
  FloeDecryptor,
  FloeEncryptor,
  floeHeaderBytes,
  floeMaxSegmentSizeBytes,
  floeSegmentOverheadBytes,
  type FloeSuite,
} from '../../../src/crypto/floe.ts';
import { systemRandom } from '../../../src/crypto/random.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { needs } from '../../support/gaps.ts';
import { floeError, patternBytes, pieces, referenceDecrypt } from './floe-support.ts';

const suites: readonly FloeSuite[] = ['aes-256-gcm', 'chacha20-poly1305'];
const keyBytes = Buffer.from(Array.from({ length: 32 }, (_, index) => index + 1));
const key = SecretBytes.copyOf(keyBytes);
const aad = Buffer.from('part 7');

const tooLittle = () => new Uint8Array(40);

interface Message {
  readonly header: Uint8Array;
  readonly segments: readonly Uint8Array[];
}

function encrypt(plaintext: Uint8Array, segmentSizeBytes: number, suite: FloeSuite = 'aes-256-gcm'): Message {
  using encryptor = new FloeEncryptor(key, aad, { suite, segmentSizeBytes });
  const parts = plaintext.length === 0 ? [plaintext] : pieces(plaintext, segmentSizeBytes);
  const segments = parts.map((part, position) =>
    encryptor.encryptSegment(position, [part], position === parts.length - 1),
  );
  return { header: encryptor.header, segments };
}

for (const suite of suites) {
  describe(`FLOE with ${suite}`, () => {
    const options = suite === 'aes-256-gcm' ? {} : needs('chacha');

    it('is what the specification says (an independent reader decrypts it)', options, () => {
      for (const length of [0, 1, 63, 64, 65, 128, 1000]) {
        const { header, segments } = encrypt(patternBytes(length), 64, suite);
        const message = Buffer.concat([header, ...segments]);
        assert.equal(header.length, floeHeaderBytes);
        assert.equal(message.length, 74 + length + floeSegmentOverheadBytes * Math.max(1, Math.ceil(length / 64)));
        assert.deepEqual(referenceDecrypt(suite, { key: keyBytes, aad, message }), patternBytes(length));
      }
    });

    it('gives the same bytes however the segment is cut, on both sides', options, () => {
      const sizes = [1, 3, 15, 16, 17, 64, 65, 95, 96];
      const plaintext = patternBytes(64);
      using encryptor = new FloeEncryptor(key, aad, { suite, segmentSizeBytes: 64 });
      using decryptor = FloeDecryptor.open(key, aad, encryptor.header);
      for (const isFinal of [true, false]) {
        for (const encryptSize of sizes) {
          const segment = encryptor.encryptSegment(0, pieces(plaintext, encryptSize), isFinal);
          for (const decryptSize of sizes) {
            const opened = decryptor.decryptSegment(0, pieces(segment, decryptSize), isFinal);
            assert.deepEqual(Buffer.concat(opened), plaintext);
          }
        }
      }
    });

    it('passes large pieces through one by one, and refuses them as a whole', options, () => {
      const size = 96 * 1024;
      const plaintext = patternBytes(size);
      using encryptor = new FloeEncryptor(key, aad, { suite, segmentSizeBytes: size });
      using decryptor = FloeDecryptor.open(key, aad, encryptor.header);
      const segment = encryptor.encryptSegment(5, pieces(plaintext, 40_000), false);
      for (const cutAt of [1, 4, 15, 16, 17, 50_000, size + 15, size + 16, size + 17, size + 31]) {
        const halves = [segment.subarray(0, cutAt), segment.subarray(cutAt)];
        assert.deepEqual(Buffer.concat(decryptor.decryptSegment(5, halves, false)), plaintext);
      }
      segment[70_000] = (segment[70_000] ?? 0) ^ 1;
      assert.throws(() => decryptor.decryptSegment(5, pieces(segment, 40_000), false), floeError('segment_invalid'));
    });
  });
}

describe('FLOE random access', () => {
  it('any range of any message is the slice of its plaintext', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 0, max: 3 }),
        (plaintext, segmentSizeBytes, first, second, rotationMaskBits) => {
          const parts = plaintext.length === 0 ? [plaintext] : pieces(plaintext, segmentSizeBytes);
          using encryptor = new FloeEncryptor(
            key,
            aad,
            { suite: 'aes-256-gcm', segmentSizeBytes },
            { rotationMaskBits },
          );
          const segments = parts.map((part, index) =>
            encryptor.encryptSegment(index, [part], index === parts.length - 1),
          );
          const start = Math.min(first % (plaintext.length + 1), second % (plaintext.length + 1));
          const end = Math.max(first % (plaintext.length + 1), second % (plaintext.length + 1));
          using decryptor = FloeDecryptor.open(key, aad, encryptor.header, { rotationMaskBits });
          const firstSegment = Math.min(Math.floor(start / segmentSizeBytes), parts.length - 1);
          const lastSegment = Math.min(Math.floor(end / segmentSizeBytes), parts.length - 1);
          const opened: Uint8Array[] = [];
          // Backwards, so that neither order nor what was decrypted before plays a part.
          for (let index = lastSegment; index >= firstSegment; index -= 1) {
            const segment = segments[index];
            assert.ok(segment !== undefined);
            opened.unshift(...decryptor.decryptSegment(index, [segment], index === parts.length - 1));
          }
          const from = start - firstSegment * segmentSizeBytes;
          const range = Buffer.concat(opened).subarray(from, from + end - start);
          assert.deepEqual(range, Buffer.from(plaintext.subarray(start, end)));
        },
      ),
    );
  });

  it('reaches the last of 2^40 positions and none beyond', () => {
    // One key for all positions, so that only the position under the tag tells them apart.
    const options = { rotationMaskBits: 40 };
    const parameters = { suite: 'aes-256-gcm', segmentSizeBytes: 8 } as const;
    using encryptor = new FloeEncryptor(key, aad, parameters, options);
    using decryptor = FloeDecryptor.open(key, aad, encryptor.header, options);
    const plaintext = patternBytes(8);
    const last = 2 ** 40 - 1;
    const segment = encryptor.encryptSegment(last, [plaintext], true);
    assert.deepEqual(Buffer.concat(decryptor.decryptSegment(last, [segment], true)), plaintext);
    // 2^32 apart: the upper half of the position counts.
    assert.throws(() => decryptor.decryptSegment(last % 2 ** 32, [segment], true), floeError('segment_invalid'));
    for (const position of [2 ** 40, -1, 0.5, Number.NaN, 2 ** 60]) {
      assert.throws(() => encryptor.encryptSegment(position, [plaintext], true), floeError('segment_invalid'));
      assert.throws(() => decryptor.decryptSegment(position, [segment], true), floeError('segment_invalid'));
    }
    assert.throws(() => encryptor.encryptSegment(last, [plaintext], false), floeError('segment_invalid'));
  });
});

describe('FLOE rules', () => {
  it('a segment in another place or as (not) the final one fails, always with the same message', () => {
    const { header, segments } = encrypt(patternBytes(24), 8);
    using decryptor = FloeDecryptor.open(key, aad, header);
    const messages = new Set<string>();
    const refuse = (position: number, segment: Uint8Array | undefined, isFinal: boolean) => {
      assert.throws(
        () => decryptor.decryptSegment(position, segment === undefined ? [] : [segment], isFinal),
        (error) => {
          messages.add(error instanceof Error ? error.message : '');
          return floeError('segment_invalid')(error);
        },
      );
    };
    refuse(1, segments[0], false);
    refuse(0, segments[1], false);
    refuse(0, segments[0], true);
    refuse(2, segments[2], false);
    refuse(1, segments[2], true);
    refuse(0, undefined, true);
    refuse(0, segments[0]?.subarray(1), false);
    assert.equal(messages.size, 1);
  });

  it('encryption refuses lengths that do not fit', () => {
    using encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes: 8 });
    const refused = floeError('segment_invalid');
    assert.throws(() => encryptor.encryptSegment(0, [patternBytes(7)], false), refused);
    assert.throws(() => encryptor.encryptSegment(0, [patternBytes(9)], false), refused);
    assert.throws(() => encryptor.encryptSegment(0, [patternBytes(9)], true), refused);
    assert.throws(() => encryptor.encryptSegment(0, [], false), refused);
    assert.equal(encryptor.encryptSegment(0, [], true).length, 32);
  });

  it('puts a prefix before the segment in the same buffer', () => {
    using encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes: 8 });
    const message = encryptor.encryptSegment(0, [patternBytes(5)], true, encryptor.header);
    assert.deepEqual(referenceDecrypt('aes-256-gcm', { key: keyBytes, aad, message }), patternBytes(5));
  });

  it('refuses headers with other parameters than expected, and unknown ones', () => {
    const parameters = { suite: 'aes-256-gcm', segmentSizeBytes: 64 } as const;
    const { header } = encrypt(patternBytes(1), 64);
    const opened = FloeDecryptor.open(key, aad, header, { expected: parameters });
    assert.deepEqual(opened.parameters, parameters);
    assert.equal(opened.encryptedSegmentBytes, 96);
    const others = [
      { ...parameters, segmentSizeBytes: 65 },
      { ...parameters, suite: 'chacha20-poly1305' },
    ] as const;
    for (const expected of others) {
      assert.throws(() => FloeDecryptor.open(key, aad, header, { expected }), floeError('header_invalid'));
    }
    const unknown: readonly [number, Buffer][] = [
      [0, Buffer.of(1)],
      [0, Buffer.of(0x81)],
      [1, Buffer.of(1)],
      [2, Buffer.from('00000020', 'hex')],
      [2, Buffer.from('00000000', 'hex')],
      [2, Buffer.from('ffffffff', 'hex')],
      [6, Buffer.from('0000000c', 'hex')],
    ];
    for (const [offset, bytes] of unknown) {
      const changed = Buffer.from(header);
      changed.set(bytes, offset);
      assert.throws(() => FloeDecryptor.open(key, aad, changed), floeError('parameters_unsupported'));
    }
    for (const segmentSizeBytes of [0, -1, 1.5, floeMaxSegmentSizeBytes + 1]) {
      assert.throws(
        () => new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes }),
        floeError('parameters_unsupported'),
      );
    }
    assert.throws(() => new FloeEncryptor(SecretBytes.copyOf(Buffer.alloc(16)), aad, parameters), RangeError);
  });
});

describe('FLOE randomness and lifetime', () => {
  it('never repeats a header or a nonce, past every refill, and draws seldom', () => {
    let draws = 0;
    const random = (length: number) => {
      draws += 1;
      return systemRandom(length);
    };
    const seen = new Set<string>();
    for (let message = 0; message < 3; message += 1) {
      using encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes: 1 }, { random });
      seen.add(Buffer.from(encryptor.header).toString('hex'));
      for (let position = 0; position < 400; position += 1) {
        const segment = encryptor.encryptSegment(position, [Buffer.of(0)], false);
        seen.add(Buffer.from(segment.subarray(4, 16)).toString('hex'));
      }
    }
    assert.equal(seen.size, 3 * 401);
    assert.ok(draws <= 3 * 5, `${draws} draws`);
  });

  it('refuses a random source that gives too little', () => {
    const parameters = { suite: 'aes-256-gcm', segmentSizeBytes: 1 } as const;
    assert.throws(
      () => new FloeEncryptor(key, aad, parameters, { random: tooLittle }).encryptSegment(0, [], true),
      RangeError,
    );
  });

  it('copies what it needs, so the key may be disposed and the AAD reused', () => {
    const ownKey = SecretBytes.copyOf(keyBytes);
    const ownAad = Buffer.from(aad);
    using encryptor = new FloeEncryptor(ownKey, ownAad, { suite: 'aes-256-gcm', segmentSizeBytes: 8 });
    const header = Buffer.from(encryptor.header);
    using decryptor = FloeDecryptor.open(ownKey, ownAad, header);
    ownKey.dispose();
    ownAad.fill(0);
    header.fill(0);
    const segment = encryptor.encryptSegment(0, [patternBytes(8)], false);
    assert.deepEqual(Buffer.concat(decryptor.decryptSegment(0, [segment], false)), patternBytes(8));
  });

  it('is closed after dispose, and prints no key', () => {
    const encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes: 8 });
    const decryptor = FloeDecryptor.open(key, aad, encryptor.header);
    const segment = encryptor.encryptSegment(0, [], true);
    for (const value of [encryptor, decryptor]) {
      const printed = inspect(value, { depth: null, showHidden: true }) + JSON.stringify(value);
      assert.ok(!/key|messagekey/i.test(printed), printed);
    }
    encryptor.dispose();
    encryptor.dispose();
    decryptor.dispose();
    assert.throws(() => encryptor.encryptSegment(0, [], true), floeError('closed'));
    assert.throws(() => decryptor.decryptSegment(0, [segment], true), floeError('closed'));
  });
});
