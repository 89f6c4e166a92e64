/** What a provider may do to stored bytes: each of it ends in an error, and nothing wrong was given before. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { EnvelopeErrorCode } from '../../../src/envelope/envelope-error.ts';
import { encodeEnvelope, decodeEnvelope, openEnvelope } from '../../../src/envelope/envelope.ts';
import { needs } from '../../support/gaps.ts';
import { pieces, streamOf } from '../crypto/floe-support.ts';
import {
  assertSame,
  envelopeError,
  flipBit,
  layoutOf,
  multipart,
  part,
  payload,
  readWhole,
  single,
  unit,
  wholeStream,
  withStored,
  writeMessage,
  writeObject,
  type StoredObject,
} from './envelope-support.ts';
import { mixedReads } from '../../support/mixed-reads.ts';

const anyRefusal: readonly EnvelopeErrorCode[] = [
  'not_format_1',
  'malformed',
  'unsupported',
  'authentication_failed',
  'truncated',
  'size_mismatch',
];

/** Reads other bytes in an object's place as a gateway does: the layout from their own index, then all of them. */
async function refused(object: StoredObject, bytes: Uint8Array, ...codes: readonly EnvelopeErrorCode[]): Promise<void> {
  const chunks: Uint8Array[] = [];
  const forged = withStored(object, bytes);
  await assert.rejects(
    async () => {
      for await (const chunk of mixedReads(wholeStream(forged))) chunks.push(chunk);
    },
    envelopeError(...(codes.length === 0 ? anyRefusal : codes)),
  );
  const given = Buffer.concat(chunks);
  assert.ok(given.length < Math.max(1, object.plaintext.length), 'something was held back');
  assertSame(given, object.plaintext.subarray(0, given.length), 'what was given before is genuine');
}

/** The message of a single object and its segments, header apart, and what is behind. */
function taken(object: StoredObject): { header: Buffer; segments: Uint8Array[]; region: Buffer } {
  const { messagesBytes } = layoutOf(object);
  return {
    header: object.stored.subarray(0, 74),
    segments: pieces(object.stored.subarray(74, messagesBytes), unit + 32),
    region: object.stored.subarray(messagesBytes),
  };
}

/** The messages of a multipart object, and what is behind. */
function messagesOf(object: StoredObject): { messages: Buffer[]; region: Buffer } {
  const layout = layoutOf(object);
  const messages = layout.parts.map(({ storedOffset, storedBytes }) =>
    object.stored.subarray(storedOffset, storedOffset + storedBytes),
  );
  return { messages, region: object.stored.subarray(layout.messagesBytes) };
}

describe('one flipped bit', () => {
  for (const [name, make, options] of [
    ['single', () => single(3), {}],
    ['multipart', () => multipart([3]), {}],
    ['ChaCha20', () => single(3, { suite: 'chacha20-poly1305' }), needs('chacha')],
  ] as const) {
    it(`anywhere in the stored bytes of a small object (${name}) fails`, options, async () => {
      const object = make();
      for (let bit = 0; bit < object.stored.length * 8; bit += 1) {
        await assert.rejects(
          readWhole(withStored(object, flipBit(object.stored, bit))),
          envelopeError(...anyRefusal),
          `bit ${bit}`,
        );
      }
      assertSame(await readWhole(object), object.plaintext);
    });

    it(`anywhere in the envelope of a small object (${name}) fails`, options, () => {
      const object = make();
      const bytes = Buffer.from(encodeEnvelope(object.envelope), 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const text = flipBit(bytes, bit).toString('base64url');
        assert.throws(
          () => openEnvelope(decodeEnvelope(text), object.secrets),
          envelopeError(...anyRefusal),
          `bit ${bit}`,
        );
      }
    });
  }

  it('in any segment or header of a large object fails, and nothing of that segment is given', async () => {
    const object = multipart([part, 2 * unit]);
    const layout = layoutOf(object);
    const places = layout.parts.flatMap(({ storedOffset, storedBytes }) => [
      storedOffset,
      storedOffset + 50,
      storedOffset + 74,
      storedOffset + 74 + 20_000,
      storedOffset + storedBytes - 1,
    ]);
    for (const place of places) await refused(object, flipBit(object.stored, place * 8 + 5), 'authentication_failed');
  });
});

/** Where a cut is most likely to look like an end. */
function borders(object: StoredObject): number[] {
  const layout = layoutOf(object);
  const inParts = layout.parts.flatMap(({ storedOffset, storedBytes }) => {
    const segments = Math.ceil((storedBytes - 74) / (layout.segmentSizeBytes + 32));
    const starts = Array.from(
      { length: segments },
      (_, index) => storedOffset + 74 + index * (layout.segmentSizeBytes + 32),
    );
    return [storedOffset, ...starts, storedOffset + storedBytes];
  });
  const inRegion = [object.stored.length - 8, object.stored.length - 4, object.stored.length - 1];
  return [...inParts, ...inRegion, layout.messagesBytes + 100];
}

describe('an object cut short', () => {
  for (const [name, make] of [
    ['single', () => single(3 * unit + 100)],
    ['multipart', () => multipart([part + 1, 2 * unit])],
  ] as const) {
    it(`at any border of segment, part or index (${name}) fails as a shorter object and as a broken stream`, async () => {
      const object = make();
      const layout = layoutOf(object);
      for (const border of borders(object)) {
        for (const length of [border - 1, border, border + 1]) {
          if (length < 0 || length >= object.stored.length) continue;
          const bytes = object.stored.subarray(0, length);
          // The provider says that the object is that short.
          await assert.rejects(async () => readWhole(withStored(object, bytes)), envelopeError(...anyRefusal));
          // Or it promises all of it and sends less.
          const stream = wholeStream(object, { layout, ciphertext: streamOf(bytes, 100_000) });
          const chunks: Uint8Array[] = [];
          await assert.rejects(async () => {
            for await (const chunk of mixedReads(stream)) chunks.push(chunk);
          }, envelopeError('truncated'));
          assert.ok(Buffer.concat(chunks).length < object.plaintext.length);
        }
      }
    });
  }

  it('to the size of a shorter object fails, its index being left out or moved up', async () => {
    const object = single(3 * unit);
    const { header, segments, region } = taken(object);
    const [first, second] = segments;
    assert.ok(first !== undefined && second !== undefined);
    const shorter = single(2 * unit).stored.length;
    const cut = Buffer.concat([header, first, second]);
    const sealed = region.subarray(region.length - 100);
    await refused(object, Buffer.concat([cut, Buffer.alloc(shorter - cut.length)]));
    await refused(object, Buffer.concat([cut, Buffer.alloc(shorter - cut.length - sealed.length), sealed]));
  });
});

describe('segments', () => {
  it('in each other’s place, twice or left out fail', async () => {
    const object = single(4 * unit);
    const { header, segments, region } = taken(object);
    const [a, b, c, d] = segments;
    assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
    for (const order of [
      [b, a, c, d],
      [a, c, b, d],
      [a, b, d, c],
      [a, a, c, d],
      [a, b, b, d],
      [a, b, c, c],
      [d, b, c, a],
    ]) {
      await refused(object, Buffer.concat([header, ...order, region]), 'authentication_failed');
    }
    await refused(object, Buffer.concat([header, a, c, d, region]));
    await refused(object, Buffer.concat([header, a, b, c, d, d, region]));
  });

  it('of another object, part or attempt in the same place fail', async () => {
    const parts = [
      { partNumber: 1, plaintext: payload(part) },
      { partNumber: 2, plaintext: payload(part) },
      { partNumber: 3, plaintext: payload(5) },
    ];
    const object = writeObject({ parts });
    const attempt = writeObject({ parts, secrets: object.secrets });
    const other = writeObject({ parts });
    const first = 74 + unit + 32;
    const end = first + unit + 32;
    const second = messagesOf(object).messages[0]?.length ?? 0;
    const sources = [attempt.stored, other.stored, object.stored.subarray(second)];
    for (const source of sources) {
      const bytes = Buffer.from(object.stored);
      bytes.set(source.subarray(first, end), first);
      await refused(object, bytes, 'authentication_failed');
    }
  });
});

describe('parts', () => {
  it('in each other’s place, twice or left out fail, alike in length or not', async () => {
    for (const lengths of [
      [part, part, 10],
      [part, part + 1, 10],
    ]) {
      const object = multipart(lengths);
      const { messages, region } = messagesOf(object);
      const [a, b, c] = messages;
      assert.ok(a !== undefined && b !== undefined && c !== undefined);
      for (const order of [
        [b, a, c],
        [a, a, c],
        [b, b, c],
        [a, c, b],
      ]) {
        await refused(object, Buffer.concat([...order, region]));
      }
      await refused(object, Buffer.concat([a, c, region]));
      await refused(object, Buffer.concat([a, b, region]));
      await refused(object, Buffer.concat([a, b, c, c, region]));
    }
  });

  it('of an older attempt in place of the completed one fail, also with their index', async () => {
    const older = writeObject({
      parts: [
        { partNumber: 1, plaintext: payload(part, 'old') },
        { partNumber: 2, plaintext: payload(10, 'old') },
      ],
    });
    const object = writeObject({
      secrets: older.secrets,
      parts: [
        { partNumber: 1, plaintext: payload(part, 'new') },
        { partNumber: 2, plaintext: payload(10, 'new') },
      ],
    });
    const old = messagesOf(older);
    const now = messagesOf(object);
    const [oldFirst, oldSecond] = old.messages;
    const [first, second] = now.messages;
    assert.ok(oldFirst !== undefined && oldSecond !== undefined && first !== undefined && second !== undefined);
    await refused(object, Buffer.concat([oldFirst, second, now.region]), 'authentication_failed');
    await refused(object, Buffer.concat([first, oldSecond, now.region]), 'authentication_failed');
    // The index of the older state names other attempts of both.
    await refused(object, Buffer.concat([first, second, old.region]), 'authentication_failed');
  });

  it('put under another number fail even where no attempt is known', async () => {
    const object = multipart([part, 10], { tagsUnknown: true });
    const { messages, region } = messagesOf(object);
    const [first, second] = messages;
    assert.ok(first !== undefined && second !== undefined);
    // Numbers 1 and 3 are the object's.
    const moved = writeMessage(object.secrets, { partNumber: 2, plaintext: payload(part) });
    await refused(object, Buffer.concat([moved, second, region]), 'authentication_failed');
  });
});

describe('objects', () => {
  it('in each other’s place fail, payload and all', async () => {
    const object = single(1_000);
    const other = single(1_000);
    await refused(object, other.stored, 'authentication_failed');
    assert.throws(() => openEnvelope(other.envelope, object.secrets), envelopeError('authentication_failed'));
    const several = multipart([1_000]);
    await refused(several, multipart([1_000]).stored, 'authentication_failed');
  });

  it('read as the other layout fail', async () => {
    const secrets = single(10).secrets;
    const one = single(1_000, { secrets });
    const several = multipart([1_000], { secrets });
    await refused(several, one.stored);
    await refused(one, several.stored);
  });

  it('replaced by plaintext, zeros or noise of the same length fail', async () => {
    const object = single(1_000);
    const length = object.stored.length;
    for (const bytes of [Buffer.alloc(length), payload(length, 'noise'), Buffer.alloc(length, 'plain text ')]) {
      await refused(object, bytes);
    }
    await refused(object, Buffer.from('plain text'), 'not_format_1');
    await refused(object, Buffer.alloc(0), 'not_format_1');
  });
});
