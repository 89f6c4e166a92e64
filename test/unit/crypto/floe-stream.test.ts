import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ByteReader } from '../../../src/base/byte-reader.ts';
import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { decryptSegments, decryptSegmentsFrom, encryptMessage } from '../../../src/crypto/floe-stream.ts';
import { FloeDecryptor, FloeEncryptor } from '../../../src/crypto/floe.ts';
import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import {
  collect,
  decryptMessage,
  floeError,
  patternBytes,
  pieces,
  referenceDecrypt,
  streamOf,
} from './floe-support.ts';

const segmentSizeBytes = 64;
const keyBytes = Buffer.alloc(32, 9);
const key = SecretBytes.copyOf(keyBytes);
const aad = Buffer.from('stream');

const S = segmentSizeBytes;
const lengths = [0, 1, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2 * S + 1, 5 * S];
const steps = [1, 7, S - 1, S, S + 1, S + 31, S + 32, S + 33, 10 * S];

async function encrypt(plaintext: Uint8Array, step = 50): Promise<Buffer> {
  using encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes });
  return await collect(encryptMessage(encryptor, streamOf(plaintext, step)));
}

/** The range that covers a whole message's body. */
function wholeBody(message: Uint8Array) {
  const body = message.length - 74;
  const segmentCount = Math.ceil(body / (S + 32));
  const lastSegmentBytes = body - (segmentCount - 1) * (S + 32);
  return { firstSegment: 0, segmentCount, finalIncluded: true, lastSegmentBytes };
}

interface Watched {
  readonly stream: ByteStream;
  pulled: number;
  returned: number;
}

/** Counts the bytes pulled and the returns; never ends by itself. */
function watched(bytes: Uint8Array, step: number): Watched {
  const chunks = pieces(bytes, step).values();
  const source: Watched = {
    pulled: 0,
    returned: 0,
    stream: {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const chunk = chunks.next();
          if (chunk.done === true) throw new Error('read past what is there');
          source.pulled += chunk.value.length;
          return { done: false, value: chunk.value };
        },
        return: async () => {
          source.returned += 1;
          return { done: true, value: undefined };
        },
      }),
    },
  };
  return source;
}

for (const length of lengths) {
  it(`a message of ${length} bytes is the same whatever the chunks`, async () => {
    const plaintext = patternBytes(length);
    for (const step of steps) {
      const message = await encrypt(plaintext, step);
      assert.equal(message.length, 74 + length + 32 * Math.max(1, Math.ceil(length / S)));
      assert.deepEqual(referenceDecrypt('aes-256-gcm', { key: keyBytes, aad, message }), plaintext);
      using decryptor = FloeDecryptor.open(key, aad, message.subarray(0, 74));
      const body = streamOf(message.subarray(74), step);
      assert.deepEqual(await collect(decryptSegments(decryptor, body, wholeBody(message))), plaintext);
    }
  });
}

describe('encryptMessage', () => {
  it('yields one chunk for each segment, the header in the first', async () => {
    using encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes });
    const sizes: number[] = [];
    for await (const chunk of encryptMessage(encryptor, streamOf(patternBytes(2 * S + 5), 7))) {
      sizes.push(chunk.length);
    }
    assert.deepEqual(sizes, [74 + S + 32, S + 32, 5 + 32]);
  });

  it('looks no further than one chunk ahead', async () => {
    using encryptor = new FloeEncryptor(key, aad, { suite: 'aes-256-gcm', segmentSizeBytes });
    const source = watched(patternBytes(10 * S), 16);
    const iterator = encryptMessage(encryptor, source.stream)[Symbol.asyncIterator]();
    await iterator.next();
    assert.equal(source.pulled, S + 16);
    await iterator.return?.();
    assert.equal(source.returned, 1);
  });

  it('makes no final segment of a stream that fails or is left', async () => {
    const parameters = { suite: 'aes-256-gcm', segmentSizeBytes } as const;
    using encryptor = new FloeEncryptor(key, aad, parameters);
    const failing = encryptMessage(encryptor, watched(patternBytes(S + 10), S).stream)[Symbol.asyncIterator]();
    await failing.next();
    await assert.rejects(failing.next(), /read past what is there/);
    assert.equal((await failing.next()).done, true);

    const left = encryptMessage(encryptor, watched(patternBytes(4 * S), 10).stream)[Symbol.asyncIterator]();
    const underWay = assert.rejects(left.next(), /after it was closed/);
    await left.return?.();
    await underWay;
    assert.equal((await left.next()).done, true);
  });
});

const plaintext = patternBytes(5 * S + 9);

describe('decryptSegments', () => {
  it('gives every range of segments, reads no further and closes the source', async () => {
    const message = await encrypt(plaintext);
    using decryptor = FloeDecryptor.open(key, aad, message.subarray(0, 74));
    for (let first = 0; first <= 5; first += 1) {
      for (let last = first; last <= 5; last += 1) {
        const finalIncluded = last === 5;
        const lastSegmentBytes = finalIncluded ? 9 + 32 : S + 32;
        const source = watched(message.subarray(74 + first * (S + 32)), 16);
        const range = { firstSegment: first, segmentCount: last - first + 1, finalIncluded, lastSegmentBytes };
        const opened = await collect(decryptSegments(decryptor, source.stream, range));
        assert.deepEqual(opened, plaintext.subarray(first * S, (last + 1) * S));
        const needed = (last - first) * (S + 32) + lastSegmentBytes;
        assert.ok(source.pulled < needed + 16);
        assert.equal(source.returned, 1);
      }
    }
  });

  it('fails with truncated wherever the stream ends early, after the segments before', async () => {
    const message = await encrypt(plaintext);
    using decryptor = FloeDecryptor.open(key, aad, message.subarray(0, 74));
    const body = message.subarray(74);
    for (let length = 0; length < body.length; length += 1) {
      const released: Uint8Array[] = [];
      const reading = async () => {
        const source = streamOf(body.subarray(0, length), 40);
        for await (const piece of decryptSegments(decryptor, source, wholeBody(message))) released.push(piece);
      };
      await assert.rejects(reading(), floeError('truncated'));
      const whole = Math.floor(length / (S + 32));
      assert.deepEqual(Buffer.concat(released), plaintext.subarray(0, whole * S));
    }
  });

  it('releases nothing of a segment that was changed, and closes the source', async () => {
    const message = await encrypt(plaintext);
    using decryptor = FloeDecryptor.open(key, aad, message.subarray(0, 74));
    const changed = Buffer.from(message.subarray(74));
    changed.writeUInt8(changed.readUInt8(2 * (S + 32) + 20) ^ 4, 2 * (S + 32) + 20);
    const source = watched(changed, 33);
    const released: Uint8Array[] = [];
    const reading = async () => {
      for await (const piece of decryptSegments(decryptor, source.stream, wholeBody(message))) released.push(piece);
    };
    await assert.rejects(reading(), floeError('segment_invalid'));
    assert.deepEqual(Buffer.concat(released), plaintext.subarray(0, 2 * S));
    assert.equal(source.returned, 1);
  });
});

describe('decryptSegments: ends and lifetimes', () => {
  it('a shortened message does not pass as a whole one', async () => {
    const message = await encrypt(patternBytes(3 * S));
    const cut = message.subarray(0, 74 + 2 * (S + 32));
    assert.throws(() => decryptMessage({ key: keyBytes, aad, message: cut }), floeError('segment_invalid'));
    using decryptor = FloeDecryptor.open(key, aad, cut.subarray(0, 74));
    const opening = collect(decryptSegments(decryptor, streamOf(cut.subarray(74), 50), wholeBody(cut)));
    await assert.rejects(opening, floeError('segment_invalid'));
  });

  it('closes the source when left early, also before the first step', async () => {
    const message = await encrypt(plaintext);
    using decryptor = FloeDecryptor.open(key, aad, message.subarray(0, 74));
    for (const taken of [0, 1]) {
      const source = watched(message.subarray(74), 200);
      const iterator = decryptSegments(decryptor, source.stream, wholeBody(message))[Symbol.asyncIterator]();
      for (let step = 0; step < taken; step += 1) await iterator.next();
      await iterator.return?.();
      assert.equal(source.returned, 1);
    }
  });

  it('leaves a reader open behind the range, for messages one after the other', async () => {
    const messages = [await encrypt(patternBytes(S + 3)), await encrypt(patternBytes(0)), await encrypt(plaintext)];
    const stream = watched(Buffer.concat([...messages, Buffer.from('the end')]), 37);
    const reader = new ByteReader(stream.stream);
    const opened: Buffer[] = [];
    for (const message of messages) {
      using decryptor = FloeDecryptor.open(key, aad, await reader.readExact(74));
      opened.push(await collect(decryptSegmentsFrom(decryptor, reader, wholeBody(message))));
    }
    assert.deepEqual(opened, [patternBytes(S + 3), patternBytes(0), plaintext]);
    assert.equal(stream.returned, 0);
    assert.equal(Buffer.from(await reader.readExact(7)).toString(), 'the end');
  });
});
