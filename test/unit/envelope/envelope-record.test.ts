import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { decodeEnvelope, encodeEnvelope, sealEnvelope, type Envelope } from '../../../src/envelope/envelope.ts';
import {
  decodeRecord,
  encodeRecord,
  isOfSameObject,
  maxRecordBytes,
  recordPath,
  verifyBeside,
} from '../../../src/envelope/envelope-record.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { envelopeFields, sealedMetadata } from './arbitraries.ts';
import { envelopeError, flipBit, payload, single } from './envelope-support.ts';

const failed = envelopeError('authentication_failed');
const malformed = envelopeError('malformed');
const sealedValue = { metadataDigest: payload(32, 'digest'), checksums: [], payloadBytes: 3 };

const rewrapping = {
  kekName: 'another',
  kekVersion: '17',
  wrappedBucketKey: payload(72, 'bucket key'),
  wrappedDek: payload(60, 'dek'),
  recovery: payload(88, 'recovery'),
};

function text(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** An envelope, and what a rewrap makes of it. */
function pair(): { secrets: ObjectSecrets; own: Envelope; beside: Envelope } {
  const { secrets, envelope } = single(3);
  const { sealedMetadata: _, ...fields } = envelope;
  const own = sealEnvelope(fields, sealedValue, secrets);
  return { secrets, own, beside: sealEnvelope({ ...fields, ...rewrapping }, sealedValue, secrets) };
}

describe('envelope record', () => {
  it('lies where the hashes of key and version id say (F1-BES-1)', () => {
    const [key, version] = ['a/ä b', '3/L4kqtJlcpXroDTDmJ'].map((text) =>
      createHash('sha256').update(text).digest('hex'),
    );
    assert.equal(recordPath('a/ä b', '3/L4kqtJlcpXroDTDmJ'), `envelopes/${key ?? ''}/${version ?? ''}`);
  });

  it('reads back what was written, and is never longer than is read (F1-BES-2)', () => {
    fc.assert(
      fc.property(envelopeFields, sealedMetadata, fc.string(), fc.string(), (fields, given, key, versionId) => {
        using secrets = ObjectSecrets.generate();
        const { salt, commitment } = secrets;
        const envelope = sealEnvelope({ ...fields, salt, commitment }, given, secrets);
        const read = decodeRecord(encodeRecord({ key, versionId, envelope }));
        assert.deepEqual([read.key, read.versionId], [key, versionId]);
        assert.equal(encodeEnvelope(read.envelope), encodeEnvelope(envelope));
      }),
    );
    const longest = '\u0001'.repeat(1024);
    const widest = 'A'.repeat(4096);
    const record = JSON.stringify({
      format: 's3eg-envelope',
      version: 1,
      key: longest,
      versionId: longest,
      envelope: widest,
    });
    assert.ok(record.length + 1 < maxRecordBytes);
  });

  it('is refused where anything is missing, of another kind or too long (F1-BES-2)', () => {
    const { own } = pair();
    const record = { format: 's3eg-envelope', version: 1, key: 'k', versionId: 'v', envelope: encodeEnvelope(own) };
    assert.doesNotThrow(() => decodeRecord(text(record)));
    for (const [name, value] of [
      ['format', 'another'],
      ['version', 2],
      ['key', undefined],
      ['versionId', 7],
      ['envelope', null],
      ['envelope', 'no envelope'],
    ] as const) {
      assert.throws(() => decodeRecord(text({ ...record, [name]: value })), malformed, name);
    }
    for (const bytes of [
      '',
      'null',
      '"text"',
      '{"format":',
      `${JSON.stringify(record)}${' '.repeat(maxRecordBytes)}`,
    ]) {
      assert.throws(() => decodeRecord(Buffer.from(bytes)), malformed, bytes.slice(0, 20));
    }
    assert.throws(() => decodeRecord(Buffer.of(0x7b, 0xff, 0x7d)), malformed);
  });

  it('differs from the object’s own envelope in its keys alone (F1-BES-3)', () => {
    const { secrets, own, beside } = pair();
    assert.ok(isOfSameObject(own, beside));
    assert.equal(isOfSameObject(own, { ...beside, salt: payload(32, 'salt') }), false);
    assert.equal(isOfSameObject(own, { ...beside, commitment: payload(32, 'commitment') }), false);
    assert.equal(isOfSameObject(own, { ...beside, policy: `${own.policy}x` }), false);
    assert.equal(isOfSameObject(own, { ...beside, segmentSizeBytes: own.segmentSizeBytes * 2 }), false);
    assert.equal(isOfSameObject(own, { ...beside, floeHeader: payload(74, 'header') }), false);
    assert.throws(() => verifyBeside(own, { ...beside, policy: `${own.policy}x` }, secrets), failed);
  });

  it('opens nothing unless both envelopes are genuine and seal the same (F1-BES-4)', () => {
    const { secrets, own, beside } = pair();
    assert.doesNotThrow(() => verifyBeside(own, beside, secrets));
    const { sealedMetadata: _, ...fields } = beside;
    const elsewhere = sealEnvelope(fields, { ...sealedValue, metadataDigest: payload(32, 'other') }, secrets);
    assert.throws(() => verifyBeside(own, elsewhere, secrets), failed);
    using strangers = ObjectSecrets.generate();
    assert.throws(() => verifyBeside(own, beside, strangers), failed);
    const bytes = Buffer.from(encodeEnvelope(beside), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = flipBit(bytes, bit).toString('base64url');
      assert.throws(() => verifyBeside(own, decodeEnvelope(altered), secrets), /./, `bit ${bit}`);
    }
  });
});
