import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';

import { AeadError } from '../../../src/crypto/aead.ts';
import { hpkeOverheadBytes, openHpke, sealHpke } from '../../../src/crypto/hpke.ts';
import { needs } from '../../support/gaps.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** A private key in the form of RFC 8410, from its 32 bytes. */
function privateKey(hex: string): KeyObject {
  return createPrivateKey({ key: bytes(`302e020100300506032b656e04220420${hex}`), format: 'der', type: 'pkcs8' });
}

const recipient = privateKey('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb');

test('RFC 9180, appendix A.2.1.1, sequence number 0', needs('chacha'), () => {
  const ephemeral = privateKey('f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600');
  const context = {
    info: bytes('4f6465206f6e2061204772656369616e2055726e'),
    aad: bytes('436f756e742d30'),
    suite: 'chacha20-poly1305' as const,
  };
  const plaintext = Buffer.from('Beauty is truth, truth beauty');
  const expected =
    '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a' +
    '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28';
  const sealed = sealHpke({
    ...context,
    recipient: createPublicKey(recipient),
    plaintext,
    ephemeral: { privateKey: ephemeral, publicKey: createPublicKey(ephemeral) },
  });
  assert.equal(Buffer.from(sealed).toString('hex'), expected);
  assert.deepEqual(Buffer.from(openHpke({ ...context, recipient, sealed })), plaintext);
});

test('what another implementation sealed with AES-256-GCM opens (PyCryptodome 3.23)', () => {
  const opened = openHpke({
    recipient,
    info: Buffer.from('s3eg1 recovery'),
    aad: Buffer.from('associated'),
    sealed: bytes(
      '4f0331fa4637b3a8464e15cbf5b0a8aae7b10fb10f08e7dd936189bb86d73025d2f48bace15aaf79b50df7ff11def2eea0a4b114451d13da70afc45a0ddcce6494ae93a6f09d9cb5237d92c682f76dec',
    ),
  });
  assert.deepEqual(Buffer.from(opened), Buffer.from(Array.from({ length: 32 }, (_, index) => index)));
});

test('a bit changed anywhere, another key, info or AAD, and every shorter length are refused', () => {
  const info = Buffer.from('info');
  const aad = Buffer.from('aad');
  const plaintext = Buffer.alloc(32, 7);
  const sealed = sealHpke({ recipient: createPublicKey(recipient), info, aad, plaintext });
  assert.equal(sealed.length, plaintext.length + hpkeOverheadBytes);
  assert.deepEqual(Buffer.from(openHpke({ recipient, sealed, info, aad })), plaintext);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.throws(() => openHpke({ recipient, sealed: changed, info, aad }), AeadError, `byte ${at}`);
    assert.throws(() => openHpke({ recipient, sealed: sealed.subarray(0, at), info, aad }), AeadError, `${at} bytes`);
  }
  const { privateKey: other } = generateKeyPairSync('x25519');
  assert.throws(() => openHpke({ recipient: other, sealed, info, aad }), AeadError);
  assert.throws(() => openHpke({ recipient, sealed, info: aad, aad }), AeadError);
  assert.throws(() => openHpke({ recipient, sealed, info, aad: info }), AeadError);
});

test('a point of small order gives no secret', () => {
  const sealed = Buffer.alloc(80);
  assert.throws(() => openHpke({ recipient, sealed, info: sealed, aad: sealed }), AeadError);
});

test('two messages never share an encapsulated key', () => {
  const message = { recipient: createPublicKey(recipient), info: bytes(''), aad: bytes(''), plaintext: bytes('00') };
  const keys = Array.from({ length: 50 }, () => Buffer.from(sealHpke(message)).subarray(0, 32).toString('hex'));
  assert.equal(new Set(keys).size, keys.length);
});

test('a key of another kind is refused', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  assert.throws(
    () => sealHpke({ recipient: publicKey, info: bytes(''), aad: bytes(''), plaintext: bytes('00') }),
    RangeError,
  );
});
