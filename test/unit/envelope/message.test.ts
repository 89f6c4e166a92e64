import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, it, mock } from 'node:test';

import { attemptTagOf, messageAad, openMessage } from '../../../src/envelope/message.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { needs, suitesHere } from '../../support/gaps.ts';
import { decryptMessage, referenceDecrypt } from '../crypto/floe-support.ts';
import { envelopeError, flipBit, payload, unit, writeMessage } from './envelope-support.ts';

const failed = envelopeError('authentication_failed');
const plaintext = payload(100);
const params = { suite: 'aes-256-gcm', segmentSizeBytes: unit } as const;

afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
});

describe('AAD of a message', () => {
  it('names the part and the layout, as the document writes it (F1-MSG-2, F1-MSG-3)', () => {
    const table = [
      [0, '0000000000'],
      [1, '0000000101'],
      [258, '0000010201'],
      [10_000, '0000271001'],
    ] as const;
    for (const [partNumber, tail] of table) {
      const expected = Buffer.concat([Buffer.from('s3eg1 message'), Buffer.from(tail, 'hex')]);
      assert.deepEqual(Buffer.from(messageAad(partNumber)), expected);
    }
  });

  it('and the key of the part are what another implementation needs to read it (F1-MSG-2)', () => {
    using secrets = ObjectSecrets.generate();
    for (const suite of suitesHere()) {
      for (const partNumber of [0, 1, 10_000]) {
        const message = writeMessage(secrets, { partNumber, plaintext }, { suite });
        const number = Buffer.alloc(4);
        number.writeUInt32BE(partNumber);
        const info = Buffer.concat([Buffer.from('s3eg1 part '), number]);
        const key = Buffer.from(crypto.hkdfSync('sha384', secrets.dek.bytes, secrets.salt, info, 32));
        const aad = Buffer.concat([Buffer.from('s3eg1 message'), number, Buffer.of(partNumber === 0 ? 0 : 1)]);
        assert.deepEqual(referenceDecrypt(suite, { key, aad, message }), plaintext);
      }
    }
  });
});

describe('openMessage', () => {
  it('opens the header of a part under its own number only (F1-MSG-2, F1-MSG-3)', () => {
    using secrets = ObjectSecrets.generate();
    for (const partNumber of [0, 1, 2, 10_000]) {
      const header = writeMessage(secrets, { partNumber, plaintext }).subarray(0, 74);
      for (const other of [0, 1, 2, 9_999, 10_000]) {
        if (other === partNumber) openMessage(secrets, params, other, header).dispose();
        else assert.throws(() => openMessage(secrets, params, other, header), failed);
      }
    }
  });

  it('refuses a message of part 0 that was sealed for the multipart layout, and the reverse (F1-MSG-2)', () => {
    using secrets = ObjectSecrets.generate();
    using key = secrets.messageKey(0);
    const message = writeMessage(secrets, { partNumber: 0, plaintext });
    const otherLayout = Buffer.concat([Buffer.from('s3eg1 message'), Buffer.alloc(4), Buffer.of(1)]);
    assert.throws(() => decryptMessage({ key: key.bytes, aad: otherLayout, message }));
    assert.deepEqual(decryptMessage({ key: key.bytes, aad: messageAad(0), message }), plaintext);
  });

  it('refuses every header with one bit changed (F1-MSG-4)', () => {
    using secrets = ObjectSecrets.generate();
    const header = writeMessage(secrets, { partNumber: 3, plaintext }).subarray(0, 74);
    for (let bit = 0; bit < header.length * 8; bit += 1) {
      assert.throws(() => openMessage(secrets, params, 3, flipBit(header, bit)), failed);
    }
  });

  it('compares the tag of a header in constant time (F1-MSG-4)', needs('liveBuiltins'), () => {
    using secrets = ObjectSecrets.generate();
    const header = writeMessage(secrets, { partNumber: 3, plaintext }).subarray(0, 74);
    const compared = mock.method(crypto, 'timingSafeEqual');
    syncBuiltinESMExports();
    for (let bit = 0; bit < header.length * 8; bit += 1) {
      const before = compared.mock.callCount();
      assert.throws(() => openMessage(secrets, params, 3, flipBit(header, bit)), failed);
      // Before the IV stand ids and sizes, some values of which are refused without a tag.
      if (bit >= 80) {
        assert.equal(compared.mock.callCount(), before + 1);
        assert.equal(compared.mock.calls.at(-1)?.arguments[0].byteLength, 32);
      }
    }
  });

  for (const [what, other, options] of [
    ['cipher', { suite: 'chacha20-poly1305', segmentSizeBytes: unit }, needs('chacha')],
    ['segment size', { suite: 'aes-256-gcm', segmentSizeBytes: 2 * unit }, {}],
  ] as const) {
    it(`refuses a genuine header with another ${what} than the envelope’s (F1-MSG-4)`, options, () => {
      using secrets = ObjectSecrets.generate();
      const theirs = writeMessage(secrets, { partNumber: 1, plaintext }, other).subarray(0, 74);
      assert.throws(() => openMessage(secrets, params, 1, theirs), failed);
      openMessage(secrets, other, 1, theirs).dispose();
    });
  }

  it('refuses a header of another length (F1-MSG-4)', () => {
    using secrets = ObjectSecrets.generate();
    for (const length of [0, 73, 75]) {
      assert.throws(() => openMessage(secrets, params, 1, Buffer.alloc(length)), failed);
    }
  });

  it('refuses the message of another object', () => {
    using secrets = ObjectSecrets.generate();
    using others = ObjectSecrets.generate();
    const header = writeMessage(others, { partNumber: 1, plaintext }).subarray(0, 74);
    assert.throws(() => openMessage(secrets, params, 1, header), failed);
  });
});

describe('attempt tag', () => {
  it('is a copy of bytes 42 to 49 of the header', () => {
    const header = Buffer.from(Array.from({ length: 74 }, (_, index) => index));
    const tag = attemptTagOf(header);
    header.fill(0);
    assert.deepEqual([...tag], [42, 43, 44, 45, 46, 47, 48, 49]);
  });
});
