import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { LeasedSecret } from '../../../src/keys/leased-secret.ts';
import { isZero } from './support.ts';

function filled(): { readonly leased: LeasedSecret; readonly memory: Uint8Array } {
  const memory = new Uint8Array(32).fill(7);
  const leased = new LeasedSecret();
  leased.put(new SecretBytes(memory));
  return { leased, memory };
}

test('a retired secret that nobody uses is zeroed at once', () => {
  const { leased, memory } = filled();
  leased.retire();
  assert.ok(isZero(memory));
  assert.equal(leased.filled, false);
  assert.throws(() => leased.secret, /empty/);
});

test('a retired secret is zeroed when the last of its users is done, and not before', () => {
  const { leased, memory } = filled();
  leased.lease();
  leased.lease();
  leased.retire();
  assert.equal(leased.secret.bytes, memory);
  leased.release();
  assert.ok(!isZero(memory));
  assert.equal(leased.idle, false);
  leased.release();
  assert.ok(isZero(memory));
  assert.equal(leased.idle, true);
});

test('a secret that is released but not retired stays', () => {
  const { leased, memory } = filled();
  leased.lease();
  leased.release();
  assert.equal(leased.secret.bytes, memory);
  assert.ok(!isZero(memory));
});

test('what it held before is zeroed when it is filled again', () => {
  const { leased, memory } = filled();
  const next = new Uint8Array(32).fill(8);
  leased.put(new SecretBytes(next));
  assert.ok(isZero(memory));
  assert.equal(leased.secret.bytes, next);
});

test('a secret that comes after it was retired serves those who still wait for it, else it is zeroed at once', () => {
  const memory = new Uint8Array(32).fill(7);
  const waited = new LeasedSecret();
  waited.lease();
  waited.retire();
  waited.put(new SecretBytes(memory));
  assert.equal(waited.secret.bytes, memory);
  waited.release();
  assert.ok(isZero(memory));

  const late = new Uint8Array(32).fill(7);
  const forgotten = new LeasedSecret();
  forgotten.retire();
  forgotten.put(new SecretBytes(late));
  assert.ok(isZero(late));
});
