import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';

import * as fc from 'fast-check';

import { openAead, sealAead } from '../../../src/crypto/aead.ts';
import {
  decodeEnvelope,
  encodeEnvelope,
  envelopeHeader,
  keyLabel,
  keyLabelHeader,
  openEnvelope,
  sealEnvelope,
  type Envelope,
} from '../../../src/envelope/envelope.ts';
import { encodeFields } from '../../../src/envelope/envelope-fields.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { encodeSealedMetadata } from '../../../src/envelope/sealed-metadata.ts';
import { envelopeFields, sealedMetadata } from './arbitraries.ts';
import { envelopeError, flipBit, payload, seededRandom, single } from './envelope-support.ts';

const failed = envelopeError('authentication_failed');
const malformed = envelopeError('malformed');
const metadata = { metadataDigest: payload(32, 'digest'), checksums: [], payloadBytes: 3 };

/** What an envelope is opened with, and its text. */
function sealed(): { secrets: ObjectSecrets; envelope: Envelope; text: string; bytes: Buffer } {
  const { secrets, envelope } = single(3);
  const text = encodeEnvelope(envelope);
  return { secrets, envelope, text, bytes: Buffer.from(text, 'base64url') };
}

/** Nonce of the sealed metadata. */
function nonce(envelope: Envelope): string {
  return Buffer.from(envelope.sealedMetadata.subarray(0, 12)).toString('hex');
}

describe('envelope', () => {
  it('reads back what was written, and opens to the metadata it sealed', () => {
    fc.assert(
      fc.property(envelopeFields, sealedMetadata, (fields, given) => {
        using secrets = ObjectSecrets.generate();
        const { salt, commitment } = secrets;
        const envelope = sealEnvelope({ ...fields, salt, commitment }, given, secrets);
        const text = encodeEnvelope(envelope);
        const read = decodeEnvelope(text);
        assert.deepEqual(encodeEnvelope(read), text);
        assert.deepEqual(encodeSealedMetadata(openEnvelope(read, secrets)), encodeSealedMetadata(given));
      }),
    );
  });

  it('is the fields, then the sealed metadata with all of them as AAD (F1-ENV-5)', () => {
    const { secrets, envelope, bytes } = sealed();
    const before = encodeFields(envelope);
    assert.deepEqual(bytes.subarray(0, before.length), Buffer.from(before));
    using key = secrets.metadataKey();
    openAead({ key, sealed: bytes.subarray(before.length), aad: before });
    assert.throws(() => openAead({ key, sealed: bytes.subarray(before.length), aad: before.subarray(0, -1) }));
  });

  it('draws a fresh nonce whenever it is sealed', () => {
    using secrets = ObjectSecrets.generate();
    const { envelope } = single(3, { secrets });
    const { sealedMetadata: _, ...fields } = envelope;
    const nonces = Array.from({ length: 20 }, () => nonce(sealEnvelope(fields, metadata, secrets)));
    assert.equal(new Set(nonces).size, 20);
    const random = seededRandom('nonce');
    assert.equal(
      nonce(sealEnvelope(fields, metadata, secrets, random)),
      Buffer.from(seededRandom('nonce')(12)).toString('hex'),
    );
  });

  it('stays below 600 characters with short names, and is named as documented', () => {
    const { envelope, text } = sealed();
    assert.ok(text.length < 600, `${text.length} characters`);
    assert.equal(envelopeHeader, 'x-amz-meta-s3eg');
    assert.equal(keyLabelHeader, 'x-amz-meta-s3eg-key');
    assert.equal(keyLabel(envelope), 'local:1');
  });

  it('is not sealed with salt or commitment of another object', () => {
    using secrets = ObjectSecrets.generate();
    const { envelope } = single(3);
    const { salt, commitment } = secrets;
    assert.throws(() => sealEnvelope({ ...envelope, salt }, metadata, secrets), RangeError);
    assert.throws(() => sealEnvelope({ ...envelope, commitment }, metadata, secrets), RangeError);
    sealEnvelope({ ...envelope, salt, commitment }, metadata, secrets);
  });
});

describe('text of the envelope', () => {
  it('is refused unless it is canonical base64url (F1-ENV-1)', () => {
    const { text } = sealed();
    decodeEnvelope(text);
    for (const wrong of [
      `${text}=`,
      `${text}==`,
      ` ${text}`,
      `${text}\n`,
      `${text.slice(0, 40)}+${text.slice(41)}`,
      `${text.slice(0, 40)}/${text.slice(41)}`,
      `${text.slice(0, 40)}é${text.slice(41)}`,
      `${text.slice(0, 40)} ${text.slice(40)}`,
      '',
    ]) {
      assert.throws(() => decodeEnvelope(wrong), malformed, wrong);
    }
  });

  it('is refused where unused bits are set, or a character stands alone behind the last byte (F1-ENV-1)', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const { envelope } = sealed();
    const remainders = new Set<number>();
    for (const length of [60, 61, 62]) {
      const text = encodeEnvelope({ ...envelope, wrappedBucketKey: payload(length) });
      const bytes = Buffer.from(text, 'base64url');
      const unusedBits = text.length * 6 - bytes.length * 8;
      remainders.add(unusedBits);
      decodeEnvelope(text);
      const last = alphabet.indexOf(text.at(-1) ?? '');
      for (let unused = 1; unused < 2 ** unusedBits; unused += 1) {
        const other = text.slice(0, -1) + (alphabet[last + unused] ?? '');
        assert.deepEqual(Buffer.from(other, 'base64url'), bytes, 'a lax reader takes it for the same');
        assert.throws(() => decodeEnvelope(other), malformed);
      }
      if (unusedBits === 0) assert.throws(() => decodeEnvelope(`${text}A`), malformed);
    }
    assert.deepEqual(
      [...remainders].toSorted((a, b) => a - b),
      [0, 2, 4],
    );
  });

  it('is refused above 4 096 characters before anything is decoded (F1-ENV-1)', () => {
    const decoded = mock.method(Buffer, 'from');
    try {
      assert.throws(() => decodeEnvelope('A'.repeat(4_097)), malformed);
      assert.throws(() => decodeEnvelope('A'.repeat(10_000_000)), malformed);
      assert.equal(decoded.mock.callCount(), 0);
    } finally {
      decoded.mock.restore();
    }
  });

  it('is refused with sealed metadata that is too short or too long (F1-ENV-3)', () => {
    const { envelope } = sealed();
    const withMetadata = (length: number) => encodeEnvelope({ ...envelope, sealedMetadata: payload(length) });
    for (const length of [63, 175]) decodeEnvelope(withMetadata(length));
    for (const length of [0, 28, 62, 176, 500]) assert.throws(() => decodeEnvelope(withMetadata(length)), malformed);
  });
});

describe('any text in the place of an envelope', () => {
  /** Parts of a genuine envelope, cut, repeated and replaced. */
  const damaged = fc
    .tuple(fc.nat(400), fc.nat(400), fc.uint8Array({ maxLength: 100 }), fc.boolean())
    .map(([from, to, inserted, keepsRest]) => {
      const { bytes } = sealed();
      return Buffer.concat([bytes.subarray(0, from), inserted, keepsRest ? bytes.subarray(to) : Buffer.alloc(0)]);
    });

  it('is either read and written back as it was, or refused as an envelope', () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
      damaged.map((bytes) => bytes.toString('base64url')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        let read: Envelope;
        try {
          read = decodeEnvelope(text);
        } catch (error) {
          return envelopeError('malformed', 'unsupported')(error);
        }
        return encodeEnvelope(read) === text;
      }),
      { numRuns: 500 },
    );
  });
});

describe('openEnvelope', () => {
  it('refuses every envelope with one bit changed, wherever it is (F1-ENV-5, F1-ENV-6)', () => {
    const { secrets, bytes } = sealed();
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const text = flipBit(bytes, bit).toString('base64url');
      assert.throws(
        () => openEnvelope(decodeEnvelope(text), secrets),
        envelopeError('authentication_failed', 'malformed', 'unsupported'),
        `bit ${bit}`,
      );
    }
  });

  it('refuses each field that is changed to another legal value (F1-ENV-5, F1-ENV-6)', () => {
    const { secrets, envelope: written } = sealed();
    for (const envelope of [written, decodeEnvelope(encodeEnvelope(written))]) {
      const { floeHeader: _, ...headless } = envelope;
      const changes: readonly Envelope[] = [
        { ...envelope, suite: 'chacha20-poly1305' },
        { ...envelope, segmentSizeBytes: 131_072 },
        { ...headless, layout: 'multipart' },
        { ...envelope, salt: payload(32, 'other') },
        { ...envelope, commitment: payload(32, 'other') },
        { ...envelope, policy: 'defaulT' },
        { ...envelope, kekName: 'locaL' },
        { ...envelope, kekVersion: '2' },
        { ...envelope, wrappedBucketKey: payload(61) },
        { ...envelope, wrappedDek: payload(60, 'other') },
        { ...envelope, floeHeader: payload(74, 'other') },
        { ...envelope, sealedMetadata: payload(72, 'other') },
        { ...envelope, sealedMetadata: envelope.sealedMetadata.subarray(0, -1) },
      ];
      for (const changed of changes) assert.throws(() => openEnvelope(changed, secrets), failed);
      openEnvelope(envelope, secrets);
    }
  });

  it('checks the commitment before it derives any other key (F1-KEY-2)', () => {
    const { secrets, envelope } = sealed();
    const derived = mock.method(secrets, 'metadataKey');
    const wrong = { ...envelope, commitment: flipBit(envelope.commitment, 0) };
    assert.throws(() => openEnvelope(wrong, secrets), failed);
    assert.equal(derived.mock.callCount(), 0);
    openEnvelope(envelope, secrets);
    assert.equal(derived.mock.callCount(), 1);
  });

  it('refuses the envelope of another object, also one of the same DEK and another salt', () => {
    const { secrets } = sealed();
    const other = sealed();
    assert.throws(() => openEnvelope(other.envelope, secrets), failed);
    using sameDek = ObjectSecrets.of(secrets.dek.clone(), payload(32, 'other salt'));
    const { envelope } = single(3, { secrets: sameDek });
    assert.throws(() => openEnvelope(envelope, secrets), failed);
  });

  it('refuses what was sealed under the right key and is not metadata (F1-META-1)', () => {
    const { secrets, envelope } = sealed();
    using key = secrets.metadataKey();
    const aad = encodeFields(envelope);
    const resealed = (plaintext: Uint8Array) => ({ ...envelope, sealedMetadata: sealAead({ key, plaintext, aad }) });
    assert.throws(() => openEnvelope(resealed(Buffer.concat([payload(32), Buffer.of(0, 2, 0)])), secrets), malformed);
    assert.throws(
      () => openEnvelope(resealed(Buffer.concat([payload(32), Buffer.of(0, 0, 3)])), secrets),
      envelopeError('unsupported'),
    );
  });
});
