import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, it, mock } from 'node:test';

import { systemRandom } from '../../../src/crypto/random.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { ObjectSecrets, dekAad } from '../../../src/envelope/object-secrets.ts';
import { needs } from '../../support/gaps.ts';
import { envelopeError, flipBit, payload, seededRandom } from './envelope-support.ts';

const dek = payload(32, 'dek');
const salt = payload(32, 'salt');

function secretsOf(dekBytes: Uint8Array = dek): ObjectSecrets {
  return ObjectSecrets.of(SecretBytes.copyOf(dekBytes), salt);
}

/** HKDF from the text of RFC 5869, one block of SHA-384 being enough. */
function documented(info: Uint8Array): Buffer {
  const prk = crypto.createHmac('sha384', salt).update(dek).digest();
  return crypto.createHmac('sha384', prk).update(info).update(Buffer.of(1)).digest().subarray(0, 32);
}

afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
});

describe('ObjectSecrets', () => {
  it('derives the keys of the document', () => {
    using secrets = secretsOf();
    assert.deepEqual(Buffer.from(secrets.commitment), documented(Buffer.from('s3eg1 commit')));
    assert.deepEqual(secrets.indexKey().bytes, new Uint8Array(documented(Buffer.from('s3eg1 index'))));
    assert.deepEqual(secrets.metadataKey().bytes, new Uint8Array(documented(Buffer.from('s3eg1 meta'))));
    for (const [partNumber, number] of [
      [0, '00000000'],
      [1, '00000001'],
      [256, '00000100'],
      [10_000, '00002710'],
    ] as const) {
      const info = Buffer.concat([Buffer.from('s3eg1 part '), Buffer.from(number, 'hex')]);
      assert.deepEqual(secrets.messageKey(partNumber).bytes, new Uint8Array(documented(info)));
    }
  });

  it('are 64 fresh bytes of the generator each time, half of them the DEK (F1-KEY-1)', () => {
    using scripted = ObjectSecrets.generate(seededRandom('generate'));
    const drawn = Buffer.from(seededRandom('generate')(64));
    assert.deepEqual(Buffer.from(scripted.dek.bytes), drawn.subarray(0, 32));
    assert.deepEqual(Buffer.from(scripted.salt), drawn.subarray(32));
    const seen = new Set<string>();
    for (let count = 0; count < 100; count += 1) {
      using secrets = ObjectSecrets.generate();
      seen.add(Buffer.from(secrets.dek.bytes).toString('hex')).add(Buffer.from(secrets.salt).toString('hex'));
    }
    assert.equal(seen.size, 200);
  });

  it('are drawn from node:crypto, from places that do not overlap (F1-KEY-1)', needs('liveBuiltins'), () => {
    const fill = crypto.randomFillSync;
    const filled: Buffer[] = [];
    mock.method(crypto, 'randomFillSync', (bytes: Uint8Array) => {
      fill(bytes);
      filled.push(Buffer.from(bytes));
      return bytes;
    });
    syncBuiltinESMExports();
    systemRandom(256); // so that what was left of an earlier draw is soon used up
    const places = new Set<string>();
    for (let count = 0; count < 200; count += 1) {
      using secrets = ObjectSecrets.generate();
      for (const secret of [secrets.dek.bytes, secrets.salt]) {
        const source = filled.findIndex((bytes) => bytes.includes(secret));
        if (source >= 0) places.add(`${source}:${filled[source]?.indexOf(secret)}`);
      }
    }
    const left = 4096 / 32;
    assert.ok(
      places.size > 400 - left,
      'but for what was left, every one is drawn from node:crypto, from a place of its own',
    );
    for (const place of places) assert.equal(Number(place.split(':')[1]) % 32, 0, 'and none overlaps another');
  });

  it('refuse another commitment, to the last bit (F1-KEY-2)', () => {
    using secrets = secretsOf();
    secrets.verifyCommitment(Uint8Array.from(secrets.commitment));
    for (let bit = 0; bit < 256; bit += 1) {
      const wrong = flipBit(secrets.commitment, bit);
      assert.throws(() => secrets.verifyCommitment(wrong), envelopeError('authentication_failed'));
    }
    for (const length of [0, 31, 33]) {
      assert.throws(() => secrets.verifyCommitment(Buffer.alloc(length)), envelopeError('authentication_failed'));
    }
  });

  it('compare the commitment in constant time (F1-KEY-2)', needs('liveBuiltins'), () => {
    using secrets = secretsOf();
    const compared = mock.method(crypto, 'timingSafeEqual');
    syncBuiltinESMExports();
    for (let bit = 0; bit < 256; bit += 1) {
      const wrong = flipBit(secrets.commitment, bit);
      assert.throws(() => secrets.verifyCommitment(wrong), envelopeError('authentication_failed'));
      assert.deepEqual(compared.mock.calls.at(-1)?.arguments, [wrong, secrets.commitment]);
    }
    assert.equal(compared.mock.callCount(), 256);
  });

  it('give no key to a part number that does not exist (F1-MSG-3)', () => {
    using secrets = secretsOf();
    for (const partNumber of [-1, 10_001, 0.5, Number.NaN, 2 ** 32]) {
      assert.throws(() => secrets.messageKey(partNumber), RangeError);
    }
  });

  it('are zeroed on dispose, and a clone lives on', () => {
    const memory = Uint8Array.from(dek);
    const secrets = ObjectSecrets.of(new SecretBytes(memory), salt);
    using clone = secrets.clone();
    secrets.dispose();
    secrets.dispose();
    assert.deepEqual(memory, new Uint8Array(32));
    assert.throws(() => secrets.messageKey(1));
    assert.throws(() => secrets.clone());
    assert.deepEqual(Buffer.from(clone.dek.bytes), dek);
    assert.deepEqual(clone.commitment, secrets.commitment);
    clone.indexKey().dispose();
  });

  it('keep their own copy of the salt', () => {
    const ownSalt = Buffer.from(salt);
    using secrets = ObjectSecrets.of(SecretBytes.copyOf(dek), ownSalt);
    ownSalt.fill(0);
    assert.deepEqual(Buffer.from(secrets.salt), salt);
  });

  it('refuse a DEK or a salt of another length', () => {
    for (const length of [0, 31, 33]) {
      assert.throws(() => secretsOf(payload(length)), RangeError);
      assert.throws(() => ObjectSecrets.of(SecretBytes.copyOf(dek), payload(length)), RangeError);
    }
  });
});

describe('AAD of a wrapped DEK', () => {
  const commitment = Buffer.alloc(32, 0xcc);

  it('is what the document says, names in UTF-8 (F1-KEY-3)', () => {
    const expected = Buffer.concat([
      Buffer.from('s3eg1 dek'),
      Buffer.from('0006', 'hex'),
      Buffer.from('bucket'),
      Buffer.from('0003', 'hex'),
      Buffer.from('2fc3a4', 'hex'),
      commitment,
    ]);
    assert.deepEqual(Buffer.from(dekAad('bucket', '/ä', commitment)), expected);
  });

  it('tells any two places apart (F1-KEY-3)', () => {
    const places = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc', ''],
      ['', 'abc'],
      ['a', '\0bc'],
    ] as const;
    const aads = places.map(([bucket, key]) => Buffer.from(dekAad(bucket, key, commitment)).toString('hex'));
    assert.equal(new Set(aads).size, places.length);
    assert.notDeepEqual(dekAad('a', 'b', commitment), dekAad('a', 'b', flipBit(commitment, 0)));
  });

  it('refuses a name that its length field cannot hold', () => {
    assert.equal(dekAad('b', 'k'.repeat(65_535), commitment).length, 9 + 3 + 2 + 65_535 + 32);
    assert.throws(() => dekAad('b', 'k'.repeat(65_536), commitment), RangeError);
    assert.throws(() => dekAad('ä'.repeat(32_768), 'k', commitment), RangeError);
  });
});
