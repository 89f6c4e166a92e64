import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { AeadError } from '../../../src/crypto/aead.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { openXaes, sealXaes, xaesOverheadBytes } from '../../../src/crypto/xaes.ts';

/* Known answers of C2SP XAES-256-GCM.md, section "Test vectors". */
const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
const plaintext = Buffer.from('XAES-256-GCM');
const known = [
  { what: 'MSB of L is 0', key: 1, aad: '', sealed: 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271' },
  {
    what: 'MSB of L is 1',
    key: 3,
    aad: 'c2sp.org/XAES-256-GCM',
    sealed: '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d',
  },
];

for (const { what, key: byte, aad: text, sealed } of known) {
  test(`known answer of C2SP: ${what}`, () => {
    using key = new SecretBytes(new Uint8Array(32).fill(byte));
    const aad = Buffer.from(text);
    const made = Buffer.from(sealXaes({ key, plaintext, aad, random: () => nonce }));
    assert.equal(made.toString('hex'), nonce.toString('hex') + sealed);
    assert.deepEqual(Buffer.from(openXaes({ key, sealed: made, aad })), plaintext);
  });
}

test('10 000 random inputs hash to what C2SP says, and open', () => {
  const read = shake128Stream(3_500_000);
  const hash = createHash('shake128', { outputLength: 32 });
  for (let count = 0; count < 10_000; count++) {
    using key = SecretBytes.copyOf(read(32));
    const fixed = read(24);
    const text = read(read(1)[0] ?? 0);
    const aad = read(read(1)[0] ?? 0);
    const sealed = sealXaes({ key, plaintext: text, aad, random: () => fixed });
    hash.update(sealed.subarray(24));
    assert.deepEqual(Buffer.from(openXaes({ key, sealed, aad })), text);
  }
  assert.equal(hash.digest('hex'), 'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939');
});

test('a bit changed anywhere, another key, another AAD and every shorter length are refused', () => {
  using key = new SecretBytes(new Uint8Array(32).fill(1));
  using other = new SecretBytes(new Uint8Array(32).fill(2));
  const aad = Buffer.from('for this');
  const sealed = Buffer.from(sealXaes({ key, plaintext, aad }));
  assert.equal(sealed.length, plaintext.length + xaesOverheadBytes);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => openXaes({ key, sealed: changed, aad }), AeadError, `byte ${at}`);
    assert.throws(() => openXaes({ key, sealed: sealed.subarray(0, at), aad }), AeadError, `${at} bytes`);
  }
  assert.throws(() => openXaes({ key: other, sealed, aad }), AeadError);
  assert.throws(() => openXaes({ key, sealed, aad: Buffer.from('for that') }), AeadError);
});

test('each sealing takes a nonce of its own', () => {
  using key = new SecretBytes(new Uint8Array(32).fill(1));
  const seal = (): string =>
    Buffer.from(sealXaes({ key, plaintext, aad: plaintext }))
      .subarray(0, 24)
      .toString('hex');
  assert.equal(new Set(Array.from({ length: 100 }, seal)).size, 100);
});

/** Reads the output of SHAKE-128 of nothing, which is the specification's source of random inputs. */
function shake128Stream(lengthBytes: number): (count: number) => Buffer {
  const stream = createHash('shake128', { outputLength: lengthBytes }).digest();
  assert.equal(stream.subarray(0, 16).toString('hex'), '7f9c2ba4e88f827d616045507605853e');
  let at = 0;
  return (count) => {
    at += count;
    assert.ok(at <= lengthBytes, 'the stream is long enough');
    return stream.subarray(at - count, at);
  };
}
