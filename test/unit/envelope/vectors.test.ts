import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { decodeEnvelope, encodeEnvelope, envelopeHeader, type SealedChecksum } from '../../../src/envelope/envelope.ts';
import { EnvelopeError } from '../../../src/envelope/envelope-error.ts';
import { RecoveryPrivateKey } from '../../../src/keys/recovery-key.ts';
import { plaintextSize, storedSize } from '../../../src/envelope/sizes.ts';
import { needs } from '../../support/gaps.ts';
import { streamOf } from '../crypto/floe-support.ts';
import { VectorReader, readVectors, storedBytes, suiteOf, type OpenedVector, type Vector } from './vector-support.ts';

/** Above this, byte by byte takes seconds and only the surroundings of borders can tell anything. */
const bytewiseBelow = 2_000;
const encryptedSegment = 65_536 + 32;
const around = 120;

/** Byte by byte; in a larger object at both ends and around every border of segment or part, in large pieces between. */
async function* byteByByte(stored: Buffer): ByteStream & AsyncGenerator<Uint8Array> {
  for (let at = 0; at < stored.length;) {
    const length = stored.length < bytewiseBelow ? 1 : Math.max(1, toNextBorder(at, stored.length));
    yield stored.subarray(at, at + length);
    at += length;
  }
}

/** How far it is to the surroundings of the next border, or of the end; not positive within those of one. */
function toNextBorder(at: number, total: number): number {
  const behind = (at - 74 + encryptedSegment) % encryptedSegment;
  const toSegment = behind < around ? 0 : encryptedSegment - around - behind;
  return Math.min(toSegment, total - 2 * around - at);
}

const ways: Readonly<Record<string, (stored: Buffer) => ByteStream>> = {
  whole: (stored) => streamOf(stored, Math.max(1, stored.length)),
  'in pieces': (stored) => streamOf(stored, stored.length < bytewiseBelow ? 37 : 10_007),
  'byte by byte': byteByByte,
};

const vectors = readVectors();
let reader: VectorReader;

before(async () => {
  reader = await VectorReader.open(vectors.values());
});

after(async () => {
  await reader[Symbol.asyncDispose]();
});

function listed(checksums: readonly SealedChecksum[]): readonly { algorithm: string; type: string; value: string }[] {
  return checksums.map(({ algorithm, type, value }) => ({
    algorithm,
    type,
    value: Buffer.from(value).toString('hex'),
  }));
}

function assertOpens({ metadata, index, payload }: OpenedVector, expected: NonNullable<Vector['opens']>): void {
  assert.equal(payload.length, expected.payload.bytes);
  assert.equal(createHash('sha256').update(payload).digest('hex'), expected.payload.sha256);
  if (expected.payload.hex !== undefined) assert.equal(payload.toString('hex'), expected.payload.hex);
  assert.deepEqual(listed(metadata.checksums), expected.sealedChecksums);
  assert.deepEqual(listed(index.checksums), expected.indexChecksums);
  const { compression } = metadata;
  assert.deepEqual(
    compression === undefined ? null : { algorithm: compression.algorithm, bytes: compression.originalBytes },
    expected.compression,
  );
  const parts = index.parts.map(({ partNumber, plaintextBytes, attemptTag }) => ({
    number: partNumber,
    bytes: plaintextBytes,
    attemptTag: Buffer.from(attemptTag).toString('hex'),
  }));
  assert.deepEqual(parts, expected.parts);
}

describe('valid vectors of format 1', () => {
  const valid = [...vectors].filter(([, { opens }]) => opens !== undefined);

  it('are there', () => {
    assert.ok(valid.length > 30);
  });

  for (const [name, vector] of valid) {
    const options = suiteOf(vector) === 'aes-256-gcm' ? {} : needs('chacha');
    it(`${name}: ${vector.comment} (${vector.requirements.join(', ')})`, options, async () => {
      assert.ok(name.startsWith('valid-') && vector.opens !== undefined && vector.fails === undefined);
      for (const cut of Object.values(ways)) assertOpens(await reader.read(vector, cut), vector.opens);
    });

    it(`${name} has the stored size of its payload, and an envelope that is written as it was read`, () => {
      const { length } = storedBytes(vector);
      assert.equal(storedSize(vector.opens?.payload.bytes ?? -1), length);
      assert.equal(plaintextSize(length), vector.opens?.payload.bytes);
      const text = vector.headers[envelopeHeader] ?? '';
      assert.equal(encodeEnvelope(decodeEnvelope(text)), text);
    });
  }
});

describe('broken vectors of format 1', () => {
  const broken = [...vectors].filter(([, { fails }]) => fails !== undefined);

  it('are there', () => {
    assert.ok(broken.length > 150);
    assert.equal(
      [...vectors.values()].filter(({ opens, fails }) => (opens === undefined) === (fails === undefined)).length,
      0,
    );
  });

  for (const [name, vector] of broken) {
    it(`${name}: ${vector.comment} (${vector.requirements.join(', ')})`, async () => {
      assert.ok(name.startsWith('broken-'));
      for (const [way, cut] of Object.entries(ways)) {
        await assert.rejects(reader.read(vector, cut), (error) => {
          assert.ok(error instanceof EnvelopeError, `${way}: ${String(error)}`);
          assert.ok(vector.fails?.includes(error.code), `${way}: ${error.code}: ${error.message}`);
          return true;
        });
      }
    });
  }
});

describe('vectors with a recovery field', () => {
  const recoverable = [...vectors].filter(([name, { recoveryKey }]) => name.startsWith('valid-') && recoveryKey);
  for (const [name, { recoveryKey = '', headers, bucket, bucketKey }] of recoverable) {
    it(`${name}: the private key gives the bucket key (F1-REC-1, F1-REC-2)`, () => {
      const { policy, recovery } = decodeEnvelope(headers[envelopeHeader] ?? '');
      assert.ok(recovery !== undefined);
      const key = RecoveryPrivateKey.ofPem(recoveryKey);
      using opened = key.open(recovery, { policy, bucket });
      assert.equal(Buffer.from(opened.bytes).toString('hex'), bucketKey);
      assert.throws(() => key.open(recovery, { policy, bucket: 'another' }), { code: 'wrong_key' });
    });
  }

  it('are there', () => {
    assert.equal(recoverable.length, 2);
  });
});
