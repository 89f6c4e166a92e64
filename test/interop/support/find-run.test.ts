import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Needle, xor } from './find-run.ts';
import { randomBytesOf, SeededNumbers } from './plaintext.ts';

function shifted(bytes: Buffer): Buffer {
  return Buffer.concat([randomBytesOf('header', 90), bytes]);
}

test('a run of 32 bytes is found wherever it stands, one of 31 is not', () => {
  const secret = randomBytesOf('needle', 300_001);
  const needle = new Needle(secret);
  const numbers = new SeededNumbers('find-run');
  for (let round = 0; round < 200; round++) {
    const haystack = randomBytesOf(`haystack ${round}`, 10_000).fill(0, 0, 3000);
    const from = numbers.between(0, secret.length - 33);
    const to = numbers.between(0, haystack.length - 33);
    assert.equal(needle.findIn(haystack), undefined);
    secret.copy(haystack, to, from, from + 31);
    haystack[to + 31] = ~(secret[from + 31] ?? 0) & 0xff;
    if (to > 0) haystack[to - 1] = ~(secret[from - 1] ?? 0) & 0xff;
    assert.equal(needle.findIn(haystack), undefined, `31 bytes of ${from} at ${to}`);
    secret.copy(haystack, to, from, from + 32);
    const found = needle.findIn(haystack);
    assert.equal(found?.haystackOffset, to, `32 bytes of ${from} at ${to}`);
    assert.equal(found.needleOffset, from);
  }
});

test('a keystream that is used twice is found in the exclusive or', () => {
  const [first, second, keystream] = ['one', 'two', 'keystream'].map((name) => randomBytesOf(name, 100_000));
  assert.ok(first !== undefined && second !== undefined && keystream !== undefined);
  // Two messages with a header in front, the second one encrypted with the keystream of the first.
  const twice = xor(shifted(xor(first, keystream)), shifted(xor(second, keystream)));
  assert.ok(new Needle(xor(first, second)).findIn(twice) !== undefined);
  const fresh = xor(shifted(first), shifted(xor(second, keystream)));
  assert.equal(new Needle(xor(first, second)).findIn(fresh), undefined);
});
