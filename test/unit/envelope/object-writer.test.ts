import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import type { SealedChecksum } from '../../../src/envelope/checksums.ts';
import { messageAad } from '../../../src/envelope/message.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { encryptObject, encryptPart } from '../../../src/envelope/object-writer.ts';
import { segmentSizesBytes, storedSize } from '../../../src/envelope/sizes.ts';
import { suitesHere } from '../../support/gaps.ts';
import { collect, pieces, referenceDecrypt, streamOf } from '../crypto/floe-support.ts';
import {
  assertSame,
  envelopeError,
  indexOf,
  largest,
  mib,
  part,
  payload,
  readWhole,
  sealFor,
  seededRandom,
  unit,
} from './envelope-support.ts';
import { mixedReads } from '../../support/mixed-reads.ts';

const secrets = ObjectSecrets.generate();
const mismatch = envelopeError('size_mismatch');

interface Attempt {
  readonly given: Uint8Array;
  readonly announced?: number;
  readonly chunkBytes?: number;
  readonly source?: ByteStream;
  readonly segmentSizeBytes?: number;
  readonly suite?: 'aes-256-gcm' | 'chacha20-poly1305';
  readonly checksums?: () => readonly SealedChecksum[];
  readonly random?: (length: number) => Uint8Array;
}

function common({ given, announced = given.length, chunkBytes = 4_096, ...attempt }: Attempt) {
  return {
    secrets,
    suite: attempt.suite ?? 'aes-256-gcm',
    segmentSizeBytes: attempt.segmentSizeBytes ?? unit,
    plaintext: attempt.source ?? streamOf(given, chunkBytes),
    plaintextBytes: announced,
    ...(attempt.random === undefined ? {} : { random: attempt.random }),
  };
}

function startObject(attempt: Attempt) {
  return encryptObject({ ...common(attempt), checksums: attempt.checksums ?? (() => []) });
}

function startPart(attempt: Attempt, partNumber = 1) {
  return encryptPart({ ...common(attempt), partNumber });
}

/** What a stream gave before it failed with `size_mismatch`. */
async function untilMismatch(stream: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await assert.rejects(async () => {
    for await (const chunk of mixedReads(stream)) chunks.push(chunk);
  }, mismatch);
  return Buffer.concat(chunks);
}

/** The key of a part's message, for the independent decryption. */
function messageKey(partNumber: number): Uint8Array {
  using key = secrets.messageKey(partNumber);
  return Uint8Array.from(key.bytes);
}

/** What the plaintext was combined with, in blocks of the cipher; of full segments only. */
function keystreamBlocks(message: Buffer, plaintext: Buffer): string[] {
  return pieces(message.subarray(74), unit + 32).flatMap((segment, position) => {
    const ciphertext = segment.subarray(16, -16);
    const stream = ciphertext.map((byte, index) => byte ^ (plaintext[position * unit + index] ?? 0));
    return pieces(stream, 16).map((block) => Buffer.from(block).toString('hex'));
  });
}

describe('encryptObject', () => {
  it('writes an object of exactly the stored size that reads back, for any length and segment (F1-SIZE-1, F1-IDX-1)', async () => {
    const lengths = fc.oneof(
      fc.constantFrom(0, 1, unit - 1, unit, unit + 1, 3 * unit),
      fc.integer({ min: 0, max: 300_000 }),
    );
    await fc.assert(
      fc.asyncProperty(
        lengths,
        fc.constantFrom(...segmentSizesBytes),
        fc.integer({ min: 1, max: 70_000 }),
        async (length, segmentSizeBytes, chunkBytes) => {
          const given = payload(length);
          const { floeHeader, storedBytes, body } = startObject({ given, segmentSizeBytes, chunkBytes });
          const stored = await collect(body);
          assert.equal(storedBytes, storedSize(length));
          assert.equal(stored.length, storedBytes);
          assertSame(stored.subarray(0, 74), floeHeader);
          const envelope = sealFor(secrets, { layout: 'single', suite: 'aes-256-gcm', segmentSizeBytes, floeHeader });
          assertSame(await readWhole({ secrets, envelope, stored, plaintext: given }), given);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('writes the index behind a message whose last segment is long in chunks of its own', async () => {
    const given = payload(6 * mib);
    const segmentSizeBytes = 2 ** 20;
    const { floeHeader, body } = startObject({ given, segmentSizeBytes, chunkBytes: 100_000 });
    const chunks: Uint8Array[] = [];
    for await (const chunk of mixedReads(body)) chunks.push(chunk);
    assert.deepEqual(
      chunks.slice(0, 6).map(({ length }) => length),
      [74 + mib + 32, ...Array<number>(5).fill(mib + 32)],
    );
    assert.ok(chunks.length > 6);
    const stored = Buffer.concat(chunks);
    const envelope = sealFor(secrets, { layout: 'single', suite: 'aes-256-gcm', segmentSizeBytes, floeHeader });
    assertSame(await readWhole({ secrets, envelope, stored, plaintext: given }), given);
  });

  it('sends a small object as one chunk', async () => {
    const { body } = startObject({ given: payload(1_000), chunkBytes: 10 });
    let chunks = 0;
    for await (const _ of body) chunks += 1;
    assert.equal(chunks, 1);
  });

  it('asks for the checksums once, when the plaintext has ended, and seals them with the attempt tag', async () => {
    const given = payload(2 * unit);
    const order: string[] = [];
    async function* source(): AsyncGenerator<Uint8Array> {
      yield* pieces(given, unit);
      order.push('plaintext ended');
    }
    const checksums: SealedChecksum[] = [
      { algorithm: 'crc32', type: 'full-object', value: Buffer.from('01020304', 'hex') },
    ];
    const { floeHeader, body } = startObject({
      given,
      source: source(),
      checksums: () => {
        order.push('checksums');
        return checksums;
      },
    });
    const stored = await collect(body);
    assert.deepEqual(order, ['plaintext ended', 'checksums']);
    const envelope = sealFor(secrets, { layout: 'single', suite: 'aes-256-gcm', segmentSizeBytes: unit, floeHeader });
    const index = indexOf({ secrets, envelope, stored, plaintext: given });
    assert.deepEqual(
      index.checksums.map(({ value }) => Buffer.from(value)),
      [checksums[0]?.value],
    );
    assert.deepEqual(Buffer.from(index.parts[0]?.attemptTag ?? []), Buffer.from(floeHeader.subarray(42, 50)));
  });
});

describe('encryptPart', () => {
  it('writes a message that an independent reader decrypts under its part number', async () => {
    for (const suite of suitesHere()) {
      for (const length of [0, 1, unit, unit + 1, 3 * unit - 1]) {
        const given = payload(length);
        const { header, attemptTag, storedBytes, body } = startPart({ given, suite, chunkBytes: 999 }, 10_000);
        const message = await collect(body);
        assert.equal(message.length, storedBytes);
        assertSame(message.subarray(0, 74), header);
        assertSame(attemptTag, header.subarray(42, 50));
        assertSame(referenceDecrypt(suite, { key: messageKey(10_000), aad: messageAad(10_000), message }), given);
      }
    }
  });

  it('refuses a part number that the multipart layout does not have (F1-MSG-3)', () => {
    for (const partNumber of [0, -1, 10_001, 1.5, Number.NaN]) {
      assert.throws(() => startPart({ given: payload(1) }, partNumber), RangeError);
    }
  });

  it('shares no key, nonce or keystream between two attempts of a part (F1-MSG-1)', async () => {
    const first = payload(3 * unit, 'first');
    const second = payload(3 * unit, 'second');
    const attempts = [first, second, first];
    const messages = await Promise.all(attempts.map((given) => collect(startPart({ given }).body)));
    const drawn = messages.flatMap((message) => [
      message.subarray(10, 42).toString('hex'),
      ...pieces(message.subarray(74), unit + 32).map((segment) => Buffer.from(segment.subarray(4, 16)).toString('hex')),
    ]);
    assert.equal(new Set(drawn).size, 3 * 4);
    const blocks = messages.flatMap((message, attempt) => keystreamBlocks(message, attempts[attempt] ?? first));
    assert.equal(blocks.length, 3 * 3 * (unit / 16));
    assert.equal(new Set(blocks).size, blocks.length, 'no block of keystream occurs twice');
  });

  it('takes IV and nonces from the random source, all of them (F1-MSG-1)', async () => {
    const random = seededRandom('attempt');
    const message = await collect(startPart({ given: payload(2 * unit), random }).body);
    const drawn = Buffer.from(seededRandom('attempt')(32 + 24));
    assertSame(message.subarray(10, 42), drawn.subarray(0, 32));
    assertSame(message.subarray(78, 90), drawn.subarray(32, 44));
    assertSame(message.subarray(78 + unit + 32, 90 + unit + 32), drawn.subarray(44, 56));
  });
});

describe('a plaintext of another length than announced', () => {
  // Announced, given, and how many of the segments may go out: never the final one.
  const cases = [
    [10, 9, 0],
    [10, 11, 0],
    [10, 0, 0],
    [0, 1, 0],
    [unit, unit - 1, 0],
    [unit, unit + 1, 0],
    [2 * unit, unit, 1],
    [2 * unit, 2 * unit - 1, 1],
    [2 * unit, 2 * unit + 1, 1],
    [2 * unit, 5 * unit, 1],
    [2 * unit + 1, 2 * unit, 2],
    [part, unit, 1],
  ] as const;

  for (const [announced, length, most] of cases) {
    it(`fails before the final segment: ${announced} announced, ${length} given (F1-MSG-7)`, async () => {
      for (const chunkBytes of [1_000, unit, 10 * unit]) {
        const given = payload(length);
        const limit = most === 0 ? 0 : 74 + most * (unit + 32);
        const fromPart = await untilMismatch(startPart({ given, announced, chunkBytes }).body);
        const fromObject = await untilMismatch(startObject({ given, announced, chunkBytes }).body);
        assert.ok(fromPart.length <= limit && fromObject.length <= limit);
      }
    });
  }

  it('is not even begun where the length is no length (F1-SIZE-3)', () => {
    for (const announced of [-1, 0.5, Number.NaN, largest + 1, Number.POSITIVE_INFINITY]) {
      assert.throws(() => startPart({ given: payload(1), announced }), RangeError);
      assert.throws(() => startObject({ given: payload(1), announced }), RangeError);
    }
    startPart({ given: payload(1), announced: largest });
    startObject({ given: payload(1), announced: largest });
  });
});

describe('the body of an object or a part', () => {
  const bodies = {
    object: (source: ByteStream) => startObject({ given: payload(0), announced: 10 * unit, source }).body,
    part: (source: ByteStream) => startPart({ given: payload(0), announced: 10 * unit, source }).body,
  };

  for (const [name, start] of Object.entries(bodies)) {
    it(`of the ${name} passes the failure of its source on, and writes no final segment`, async () => {
      const broken = new Error('client left');
      async function* source(): AsyncGenerator<Uint8Array> {
        yield payload(9 * unit);
        throw broken;
      }
      const chunks: Uint8Array[] = [];
      await assert.rejects(async () => {
        for await (const chunk of mixedReads(start(source()))) chunks.push(chunk);
      }, broken);
      assert.ok(chunks.reduce((sum, chunk) => sum + chunk.length, 0) <= 74 + 9 * (unit + 32));
    });

    it(`of the ${name} releases its source when it is left early, also before the first chunk`, async () => {
      for (const steps of [0, 1]) {
        let released = 0;
        const source: ByteStream = {
          [Symbol.asyncIterator]: () => ({
            next: async () => ({ done: false, value: payload(unit) }),
            return: async () => {
              released += 1;
              return { done: true, value: undefined };
            },
          }),
        };
        const iterator = start(source)[Symbol.asyncIterator]();
        for (let step = 0; step < steps; step += 1) await iterator.next();
        await iterator.return?.();
        assert.equal(released, 1);
        assert.equal((await iterator.next()).done, true);
      }
    });

    it(`of the ${name} needs its secrets no longer than the call`, async () => {
      const own = secrets.clone();
      const given = payload(unit + 5);
      const input = { ...common({ given }), secrets: own };
      const body =
        name === 'object'
          ? encryptObject({ ...input, checksums: () => [] }).body
          : encryptPart({ ...input, partNumber: 1 }).body;
      own.dispose();
      assert.ok((await collect(body)).length > given.length);
    });
  }
});

describe('stored object of the writer', () => {
  it('is the same however the plaintext is cut', async () => {
    const cases = [
      [777, [1, 2, 776, 777, 778]],
      [unit + 777, [11, 1_000, unit - 1, unit, unit + 1, 200_000]],
    ] as const;
    for (const [length, cuts] of cases) {
      const written: Buffer[] = [];
      for (const chunkBytes of cuts) {
        const given = payload(length);
        written.push(await collect(startObject({ given, chunkBytes, random: seededRandom('same') }).body));
      }
      for (const stored of written) assertSame(stored, written[0] ?? Buffer.alloc(0));
    }
  });
});
