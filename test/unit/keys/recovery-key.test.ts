import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { DataKeys } from '../../../src/keys/data-keys.ts';
import { RecoveryPrivateKey, RecoveryPublicKey, recoveryWrapBytes } from '../../../src/keys/recovery-key.ts';
import { context, keyError, TestClock, TestKeyService } from './support.ts';

function pair() {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { publicKey, publicPem, privatePem };
}

test('a bucket key is sealed for the private half, in its context only', () => {
  const { publicKey, publicPem, privatePem } = pair();
  const key = RecoveryPublicKey.ofPem(publicPem);
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  assert.equal(key.id, createHash('sha256').update(raw).digest('hex').slice(0, 16));
  using bucketKey = new SecretBytes(new Uint8Array(32).fill(9));
  const sealed = key.seal(bucketKey, context);
  assert.equal(sealed.length, recoveryWrapBytes);
  assert.equal(Buffer.from(sealed).toString('hex', 0, 8), key.id);
  const holder = RecoveryPrivateKey.ofPem(privatePem);
  using opened = holder.open(sealed, context);
  assert.ok(opened.equals(bucketKey));
  assert.throws(() => holder.open(sealed, { ...context, bucket: 'another' }), keyError('wrong_key'));
  assert.throws(() => holder.open(sealed, { ...context, policy: 'another' }), keyError('wrong_key'));
  assert.throws(() => holder.open(sealed.subarray(0, 87), context), keyError('wrong_key'));
  assert.throws(() => RecoveryPrivateKey.ofPem(pair().privatePem).open(sealed, context), keyError('not_found'));
});

test('each bucket key is sealed once, for every data key under it', async (t) => {
  const { publicPem, privatePem } = pair();
  const service = new TestKeyService();
  const dataKeys = new DataKeys(
    new Map([['main', service]]),
    { ttlMs: 60_000, offlineTtlMs: 0, maxObjects: 2, maxBytes: 1e9 },
    { clock: new TestClock(), recovery: RecoveryPublicKey.ofPem(publicPem) },
  );
  t.after(() => dataKeys.close());
  const holder = RecoveryPrivateKey.ofPem(privatePem);
  const seals: string[] = [];
  for (let count = 0; count < 4; count++) {
    using dek = new SecretBytes(new Uint8Array(32).fill(count));
    const aad = Buffer.from(`object ${count}`);
    const wrapped = await dataKeys.wrap(dek, { keyName: 'main', context, aad, bytes: 1 });
    seals.push(Buffer.from(wrapped.recovery ?? []).toString('hex'));
    using recovered = holder.openDataKey(wrapped, { context, aad });
    assert.ok(recovered.equals(dek));
    using opened = await dataKeys.unwrap(wrapped, { context, aad });
    assert.ok(opened.equals(dek));
    assert.throws(() => holder.openDataKey(wrapped, { context, aad: Buffer.from('other') }), keyError('wrong_key'));
    const { recovery: _, ...without } = wrapped;
    assert.throws(() => holder.openDataKey(without, { context, aad }), keyError('not_found'));
  }
  assert.deepEqual([seals[0] === seals[1], seals[2] === seals[3], seals[1] === seals[2]], [true, true, false]);
});

test('keys of another kind, and halves in the wrong place, are refused without showing them', () => {
  const { publicPem, privatePem } = pair();
  const ed25519 = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  for (const pem of ['', 'nonsense', privatePem, ed25519.publicKey]) {
    assert.throws(() => RecoveryPublicKey.ofPem(pem), keyError('misconfigured'));
  }
  const secret = privatePem.split('\n')[1] ?? '';
  for (const pem of ['', 'nonsense', publicPem, ed25519.privateKey, privatePem.replace('BEGIN PRIVATE', 'BEGIN')]) {
    assert.throws(
      () => RecoveryPrivateKey.ofPem(pem),
      (error: unknown) => keyError('misconfigured')(error) && !String(error).includes(secret),
    );
  }
});
