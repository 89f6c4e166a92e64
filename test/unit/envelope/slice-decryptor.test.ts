import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ByteReader } from '../../../src/base/byte-reader.ts';
import type { ByteStream } from '../../../src/base/byte-stream.ts';
import type { RangePlan } from '../../../src/envelope/layout.ts';
import { SliceDecryptor } from '../../../src/envelope/slice-decryptor.ts';
import { pieces, streamOf } from '../crypto/floe-support.ts';
import {
  assertSame,
  envelopeError,
  flipBit,
  layoutOf,
  multipart,
  part,
  payload,
  single,
  unit,
  withStored,
  writeMessage,
  writeObject,
  type StoredObject,
} from './envelope-support.ts';

const failed = envelopeError('authentication_failed');

/** Decrypts what a plan (of the whole object by default) names; a missing header is taken from `firstHeader`. */
function decryptorOf(
  { secrets, envelope, stored }: StoredObject,
  plan: RangePlan,
  { firstHeader, ciphertext }: { firstHeader?: Uint8Array; ciphertext?: ByteStream } = {},
): SliceDecryptor {
  const range = stored.subarray(plan.storedFirst, plan.storedLast + 1);
  const reader = new ByteReader(ciphertext ?? streamOf(range, 10_000));
  return new SliceDecryptor({ secrets, envelope, plan, firstHeader, reader });
}

async function drain(decryptor: SliceDecryptor): Promise<Buffer> {
  const plaintext: Uint8Array[] = [];
  for (let piece = await decryptor.next(); piece !== undefined; piece = await decryptor.next()) plaintext.push(piece);
  return Buffer.concat(plaintext);
}

/** The segments of a stored message with the bytes before them. */
function segmentsOf(stored: Buffer, plaintextBytes: number): { header: Buffer; segments: Buffer[] } {
  const end = 74 + plaintextBytes + 32 * Math.ceil(plaintextBytes / unit);
  return {
    header: stored.subarray(0, 74),
    segments: pieces(stored.subarray(74, end), unit + 32).map((segment) => Buffer.from(segment)),
  };
}

/** A segment whose first four bytes say another length. */
function relabelled(segment: Buffer, length: number): Buffer {
  const copy = Buffer.from(segment);
  copy.writeUInt32BE(length);
  return copy;
}

describe('SliceDecryptor', () => {
  it('gives all plaintext of a plan, one part after the other', async () => {
    const object = multipart([part + 1, part + 65_535, 0]);
    using decryptor = decryptorOf(object, layoutOf(object).whole());
    assertSame(await drain(decryptor), object.plaintext);
    assert.equal(await decryptor.next(), undefined);
  });

  it('takes the length and finality of a segment from the layout, not from the segment (F1-MSG-5)', async () => {
    const object = single(2 * unit + 100);
    const plan = layoutOf(object).whole();
    const { header, segments } = segmentsOf(object.stored, 2 * unit + 100);
    const [first = Buffer.alloc(0), second = Buffer.alloc(0), last = Buffer.alloc(0)] = segments;
    const wrong = [
      [relabelled(first, unit + 32), second, last],
      [relabelled(first, 0), second, last],
      [first, second, relabelled(last, 0xffffffff)],
      [first, second, relabelled(last, 133)],
      [first, second, relabelled(last, 131)],
      [first, second, relabelled(last, 0)],
    ];
    for (const forged of wrong) {
      using decryptor = decryptorOf(withStored(object, header, ...forged), plan);
      await assert.rejects(drain(decryptor), failed);
    }
    using genuine = decryptorOf(withStored(object, header, first, second, last), plan);
    assertSame(await drain(genuine), object.plaintext);
  });

  it('refuses a final segment where the layout has another, and the reverse (F1-MSG-5)', async () => {
    // The same key and header, cut after one segment: what a shortened message would be if lengths were believed.
    const short = single(unit);
    const long = single(2 * unit);
    const plan = layoutOf(long).whole();
    const { header, segments } = segmentsOf(short.stored, unit);
    const [final = Buffer.alloc(0)] = segments;
    using decryptor = decryptorOf({ ...short, stored: Buffer.concat([header, final, final]) }, plan);
    await assert.rejects(drain(decryptor), failed);
    const shortPlan = layoutOf(short).whole();
    using reverse = decryptorOf({ ...long, stored: long.stored.subarray(0, 74 + unit + 32) }, shortPlan);
    await assert.rejects(drain(reverse), failed);
  });

  it('hands out nothing of a segment before its tag was there and right (F1-MSG-6)', async () => {
    const object = single(2 * unit);
    const plan = layoutOf(object).whole();
    const message = object.stored.subarray(0, plan.storedLast + 1);
    let delivered = 0;
    async function* slowly(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      for (const piece of pieces(bytes, 8)) {
        delivered += piece.length;
        yield piece;
      }
    }
    using decryptor = decryptorOf(object, plan, { ciphertext: slowly(message) });
    await decryptor.next();
    assert.ok(delivered >= 74 + unit + 32, 'the first byte came after the last of its segment');

    // A tag that is wrong in its last bit: not one byte.
    for (const wrongBit of [(74 + unit + 32) * 8 - 1, (74 + 16) * 8, 74 * 8]) {
      using refusing = decryptorOf(object, plan, { ciphertext: slowly(flipBit(message, wrongBit)) });
      await assert.rejects(refusing.next(), failed);
    }
  });

  it('refuses a header in front of a single message that is not the envelope’s copy (F1-READ-1)', async () => {
    const object = single(100);
    const { secrets } = object;
    // A second genuine message of the same object: its own header verifies.
    const again = writeMessage(secrets, { partNumber: 0, plaintext: object.plaintext });
    const forged = withStored(object, again, object.stored.subarray(again.length));
    using decryptor = decryptorOf(forged, layoutOf(object).whole());
    await assert.rejects(drain(decryptor), failed);
    for (let bit = 0; bit < 74 * 8; bit += 7) {
      using flipped = decryptorOf(withStored(object, flipBit(object.stored, bit)), layoutOf(object).whole());
      await assert.rejects(drain(flipped), failed);
    }
  });

  it('refuses a part of another attempt than the index names, unless it names none (F1-READ-2)', async () => {
    const plaintext = payload(part);
    const parts = [
      { partNumber: 4, plaintext },
      { partNumber: 7, plaintext: payload(10) },
    ];
    for (const tagsUnknown of [false, true]) {
      const object = writeObject({ parts, tagsUnknown });
      const older = writeMessage(object.secrets, { partNumber: 4, plaintext: payload(part, 'older') });
      const mixed = withStored(object, older, object.stored.subarray(older.length));
      using decryptor = decryptorOf(mixed, layoutOf(object).whole());
      if (tagsUnknown) assertSame((await drain(decryptor)).subarray(0, part), payload(part, 'older'));
      else await assert.rejects(drain(decryptor), failed);
    }
  });

  it('tells a stream that ends early, wherever it does', async () => {
    const object = single(unit + 10);
    const plan = layoutOf(object).whole();
    const length = plan.storedLast + 1;
    for (const cut of [0, 1, 73, 74, 75, 74 + unit + 31, 74 + unit + 32, 74 + unit + 33, length - 1]) {
      using decryptor = decryptorOf(object, plan, { ciphertext: streamOf(object.stored.subarray(0, cut), 5_000) });
      await assert.rejects(drain(decryptor), envelopeError('truncated'));
    }
  });

  it('takes the header from its caller where the plan begins further back, and fails without it', async () => {
    const object = multipart([part, 2 * unit]);
    const plan = layoutOf(object).locate({ first: unit, last: unit + 5 });
    using decryptor = decryptorOf(object, plan, { firstHeader: object.stored.subarray(0, 74) });
    assertSame(await drain(decryptor), object.plaintext.subarray(unit, 2 * unit));
    using headless = decryptorOf(object, plan);
    await assert.rejects(drain(headless), RangeError);
    for (const header of [flipBit(object.stored.subarray(0, 74), 500), object.stored.subarray(0, 73)]) {
      using wrong = decryptorOf(object, plan, { firstHeader: header });
      await assert.rejects(drain(wrong), failed);
    }
    const alone = single(2 * unit);
    const further = layoutOf(alone).locate({ first: unit, last: unit });
    using short = decryptorOf(alone, further, { firstHeader: alone.stored.subarray(0, 73) });
    await assert.rejects(drain(short), failed);
  });

  it('keeps its own secrets, and lets go of them', async () => {
    const object = single(100);
    const own = object.secrets.clone();
    const reader = new ByteReader(streamOf(object.stored, 1_000));
    const plan = layoutOf(object).whole();
    const decryptor = new SliceDecryptor({ ...object, secrets: own, plan, firstHeader: undefined, reader });
    own.dispose();
    assertSame(await drain(decryptor), object.plaintext);
    decryptor.dispose();
    decryptor.dispose();
    const early = decryptorOf(object, plan);
    early.dispose();
    await assert.rejects(early.next());
  });
});
