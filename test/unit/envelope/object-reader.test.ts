import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { ObjectLayout } from '../../../src/envelope/layout.ts';
import type { ObjectIndex } from '../../../src/envelope/object-index.ts';
import { decryptRange, decryptWholeMultipart, decryptWholeSingle } from '../../../src/envelope/object-reader.ts';
import { segmentSizesBytes } from '../../../src/envelope/sizes.ts';
import { suitesHere } from '../../support/gaps.ts';
import { collect, pieces, streamOf } from '../crypto/floe-support.ts';
import {
  assertSame,
  envelopeError,
  flipBit,
  indexOf,
  layoutOf,
  mib,
  multipart,
  part,
  payload,
  readRange,
  readWhole,
  single,
  unit,
  wholeStream,
  withStored,
  writeObject,
  type StoredObject,
} from './envelope-support.ts';
import { mixedReads } from '../../support/mixed-reads.ts';

const failed = envelopeError('authentication_failed');

const suites = suitesHere();
const otherSuite = suites.at(-1) ?? 'aes-256-gcm';

/** Objects of every layout, with odd parts, in both suites and several segment sizes; made when a test needs them. */
const objects: Readonly<Record<string, () => StoredObject>> = {
  'single, one segment': () => single(1_000),
  'single, full last segment': () => single(3 * unit),
  'single, odd length': () => single(5 * unit + 1, { suite: otherSuite }),
  'single, 1 MiB segments': () => single(3 * mib + 17, { segmentSizeBytes: mib }),
  'multipart, one small part': () => multipart([3]),
  'multipart, odd parts': () => multipart([part + 1, part + 65_535, 7_000_001, 5]),
  'multipart, empty last part': () => multipart([part, 0]),
  'multipart, attempts unknown': () => multipart([part + 1, 100], { tagsUnknown: true }),
  'multipart, 1 MiB segments': () => multipart([part + mib - 1, part + 1, mib + 1], { segmentSizeBytes: mib }),
  'multipart, other suite': () => multipart([part, unit], { suite: otherSuite, segmentSizeBytes: 2 * unit }),
};
const made = new Map<string, { object: StoredObject; layout: ObjectLayout }>();

function objectNamed(name: string): { object: StoredObject; layout: ObjectLayout } {
  const known = made.get(name);
  if (known !== undefined) return known;
  const object = objects[name]?.();
  assert.ok(object !== undefined);
  const entry = { object, layout: layoutOf(object) };
  made.set(name, entry);
  return entry;
}

/** A stream that counts what was pulled of it and whether it was released. */
function watched(bytes: Uint8Array, chunkBytes: number) {
  const state = { pulled: 0, released: 0 };
  const chunks = pieces(bytes, chunkBytes)[Symbol.iterator]();
  const stream: ByteStream = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const step = chunks.next();
        if (step.done === true) return { done: true, value: undefined };
        state.pulled += step.value.length;
        return step;
      },
      return: async () => {
        state.released += 1;
        return { done: true, value: undefined };
      },
    }),
  };
  return { state, stream };
}

/** What a stream gives until it fails, and its failure. */
async function untilFailure(stream: ByteStream): Promise<{ given: Buffer; error: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of mixedReads(stream)) chunks.push(chunk);
  } catch (error) {
    return { given: Buffer.concat(chunks), error };
  }
  throw new assert.AssertionError({ message: 'the stream ended as if it were complete' });
}

describe('whole objects', () => {
  for (const name of Object.keys(objects)) {
    it(`${name}: reads back in one piece, in odd pieces and segment by segment`, async () => {
      const { object } = objectNamed(name);
      for (const chunkBytes of [object.stored.length, 65_536 + 32, 10_007, 1_000_003]) {
        assertSame(await readWhole(object, chunkBytes), object.plaintext);
      }
    });
  }

  it('read back byte by byte', async () => {
    for (const object of [single(0), single(1), single(unit + 1), multipart([0]), multipart([1_000])]) {
      assertSame(await readWhole(object, 1), object.plaintext);
    }
  });

  it('read back whatever their parts, cipher and segment size', async () => {
    const length = fc.oneof(
      fc.constantFrom(part, part + 1, part + unit - 1),
      fc.integer({ min: part, max: part + 200_000 }),
    );
    const last = fc.oneof(fc.constantFrom(0, 1, unit, unit + 1), fc.nat({ max: 200_000 }));
    const options = fc.record({
      suite: fc.constantFrom(...suites),
      segmentSizeBytes: fc.constantFrom(...segmentSizesBytes),
      tagsUnknown: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(length, { maxLength: 2 }),
        last,
        options,
        fc.integer({ min: 5_000, max: 2 * mib }),
        async (lengths, end, recipe, chunkBytes) => {
          const object = multipart([...lengths, end], recipe);
          assertSame(await readWhole(object, chunkBytes), object.plaintext);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('give the index once, when everything verified', async () => {
    for (const object of [single(2 * unit), multipart([part, 5])]) {
      const indexes: ObjectIndex[] = [];
      const input = {
        ...object,
        ciphertext: streamOf(object.stored, 100_000),
        storedBytes: object.stored.length,
        onIndex: (index: ObjectIndex) => indexes.push(index),
      };
      const stream =
        object.envelope.layout === 'single'
          ? decryptWholeSingle(input)
          : decryptWholeMultipart({ ...input, layout: layoutOf(object) });
      await collect(stream);
      assert.deepEqual(
        indexes.map(({ totalPlaintextBytes }) => totalPlaintextBytes),
        [object.plaintext.length],
      );
    }
  });
});

describe('ranges', () => {
  it('any range of any object is the slice of its plaintext, from exactly the stored bytes that the plan names', async () => {
    const names = fc.constantFrom(...Object.keys(objects));
    const place = fc.record({ border: fc.nat(), by: fc.constantFrom(-1, 0, 1), length: fc.nat(), free: fc.nat() });
    await fc.assert(
      fc.asyncProperty(
        names,
        place,
        fc.boolean(),
        fc.integer({ min: 2_000, max: 300_000 }),
        async (name, { border, by, length, free }, beside, chunkBytes) => {
          const { object, layout } = objectNamed(name);
          const total = object.plaintext.length;
          const start = beside ? Math.floor((border % total) / unit) * unit + by : free % total;
          const first = Math.min(Math.max(0, start), total - 1);
          const last = first + (length % Math.min(total - first, 400_000));
          const found = await readRange(object, { first, last }, { layout, chunkBytes });
          assertSame(found, object.plaintext.subarray(first, last + 1), `${first} to ${last} of ${name}`);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are right across every border of segment and part', async () => {
    for (const [name, { object, layout }] of Object.keys(objects).map((key) => [key, objectNamed(key)] as const)) {
      const total = object.plaintext.length;
      const borders = layout.parts.flatMap(({ plaintextOffset, plaintextBytes }) => [
        plaintextOffset,
        plaintextOffset + plaintextBytes,
      ]);
      const edges = [...borders, layout.segmentSizeBytes, 2 * layout.segmentSizeBytes];
      for (const border of edges) {
        for (const [first, last] of [
          [border - 1, border - 1],
          [border, border],
          [border - 1, border],
          [border - 2, border + 1],
        ] as const) {
          if (first < 0 || last >= total) continue;
          const found = await readRange(object, { first, last }, { layout });
          assertSame(found, object.plaintext.subarray(first, last + 1), `${first} to ${last} of ${name}`);
        }
      }
      const found = await readRange(object, { first: 0, last: total - 1 }, { layout });
      assertSame(found, object.plaintext, `all of ${name}`);
    }
  });

  it('stop reading behind the range, and release the source', async () => {
    const object = single(10 * unit);
    const layout = layoutOf(object);
    const plan = layout.locate({ first: unit, last: unit + 9 });
    const { state, stream } = watched(object.stored.subarray(plan.storedFirst), 1_000);
    const { secrets, envelope } = object;
    await collect(decryptRange({ secrets, envelope, layout, plan, ciphertext: stream }));
    assert.ok(state.pulled <= unit + 32 + 1_000);
    assert.equal(state.released, 1);
  });

  it('fail where a segment they touch was changed, and only there (F1-READ-5)', async () => {
    const object = single(4 * unit);
    const layout = layoutOf(object);
    const changed = withStored(object, flipBit(object.stored, (74 + 2 * (unit + 32) + 5_000) * 8));
    for (const [first, last] of [
      [2 * unit, 2 * unit],
      [0, 4 * unit - 1],
      [2 * unit - 1, 2 * unit],
    ] as const) {
      await assert.rejects(readRange(changed, { first, last }, { layout }), failed);
    }
    assertSame(
      await readRange(changed, { first: 0, last: 2 * unit - 1 }, { layout }),
      object.plaintext.subarray(0, 2 * unit),
    );
    assertSame(
      await readRange(changed, { first: 3 * unit, last: 4 * unit - 1 }, { layout }),
      object.plaintext.subarray(3 * unit),
    );
  });

  it('fail where the source ends early, and never end as if complete (F1-READ-5)', async () => {
    const object = multipart([part, 3 * unit]);
    const layout = layoutOf(object);
    const { secrets, envelope, stored } = object;
    const plan = layout.locate({ first: part - unit, last: part + 2 * unit });
    const range = stored.subarray(plan.storedFirst, plan.storedLast + 1);
    for (const cut of [0, 1, unit + 31, unit + 32, unit + 33, unit + 32 + 74, range.length - 1]) {
      const ciphertext = streamOf(range.subarray(0, cut), 5_000);
      const firstHeader = stored.subarray(0, 74);
      const stream = decryptRange({ secrets, envelope, layout, plan, ciphertext, firstHeader });
      const { given, error } = await untilFailure(stream);
      assert.ok(envelopeError('truncated')(error));
      assertSame(given, object.plaintext.subarray(part - unit, part - unit + given.length));
    }
  });

  it('need the header of a part that they begin inside of', () => {
    const object = multipart([part, 5]);
    const layout = layoutOf(object);
    const { secrets, envelope } = object;
    const plan = layout.locate({ first: unit, last: unit });
    const ciphertext = streamOf(object.stored, 1_000);
    assert.deepEqual(plan.headerNeeded, { storedOffset: 0, partNumber: 1 });
    assert.throws(() => decryptRange({ secrets, envelope, layout, plan, ciphertext }), RangeError);
  });

  it('are not read by the layout of another object', () => {
    const object = single(100);
    const { secrets, envelope } = object;
    const ciphertext = streamOf(object.stored, 1_000);
    const others = [
      ObjectLayout.single({ plaintextBytes: 100, segmentSizeBytes: 2 * unit }),
      layoutOf(multipart([100])),
    ];
    for (const layout of others) {
      const plan = layout.locate({ first: 0, last: 9 });
      assert.throws(() => decryptRange({ secrets, envelope, layout, plan, ciphertext }), RangeError);
    }
    const several = multipart([100]);
    const layout = ObjectLayout.multipart(indexOf(several), 2 * unit);
    assert.throws(() => wholeStream(several, { layout }), RangeError);
  });

  it('give no empty chunk for what they skip', async () => {
    const object = single(4 * unit);
    const { secrets, envelope, stored } = object;
    const layout = layoutOf(object);
    const plan = layout.locate({ first: unit + 60_000, last: 2 * unit + 5 });
    // In pieces so long that the cipher gets them one by one.
    const ciphertext = streamOf(stored.subarray(plan.storedFirst, plan.storedLast + 1), 40_000);
    const lengths: number[] = [];
    for await (const { length } of decryptRange({ secrets, envelope, layout, plan, ciphertext })) lengths.push(length);
    assert.ok(lengths.every((length) => length > 0) && lengths.length > 1, lengths.join());
  });

  it('refuse another segment size than the object was written with, although the envelope is changed alike', async () => {
    const object = single(3 * unit);
    for (const segmentSizeBytes of [2 * unit, 16 * unit]) {
      const envelope = { ...object.envelope, segmentSizeBytes };
      await assert.rejects(collect(wholeStream({ ...object, envelope })), failed);
    }
  });
});

/** Plaintext that is out before the index region was delivered, and whether the rest comes after it. */
async function releasedBeforeIndex(object: StoredObject): Promise<Buffer> {
  const layout = layoutOf(object);
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* pieces(object.stored.subarray(0, layout.messagesBytes), 50_000);
    // All but the last byte of the index region.
    yield object.stored.subarray(layout.messagesBytes, -1);
    reached.resolve();
    await gate.promise;
    yield object.stored.subarray(-1);
  }
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of mixedReads(wholeStream(object, { layout, ciphertext: source() }))) chunks.push(chunk);
  })();
  await reached.promise;
  // Whatever could still come without the last byte has come after some turns of the event loop.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  const before = Buffer.concat(chunks);
  gate.resolve();
  await reading;
  assertSame(Buffer.concat(chunks), object.plaintext);
  return before;
}

describe('the end of a whole object', () => {
  it('is held back, the last segment with bytes, until the index region verified (F1-READ-3)', async () => {
    const cases = [
      [single(0), 0],
      [single(10), 0],
      [single(unit), 0],
      [single(unit + 1), unit],
      [single(3 * unit), 2 * unit],
      [single(3 * unit - 1), 2 * unit],
      [multipart([5]), 0],
      [multipart([part, 2 * unit]), part + unit],
      [multipart([part + 1, 1]), part + 1],
      // The last segment is empty, so the one before it is what is held.
      [multipart([part + 1, 0]), part],
      [multipart([part, 0]), part - unit],
    ] as const;
    for (const [object, expected] of cases) {
      const before = await releasedBeforeIndex(object);
      assertSame(before, object.plaintext.subarray(0, expected), `${object.plaintext.length} bytes`);
    }
  });

  it('is never given where the index region is wrong in any byte, cut off or followed by more (F1-READ-3, F1-READ-5)', async () => {
    for (const object of [single(2 * unit), multipart([part, unit + 1])]) {
      const layout = layoutOf(object);
      const { stored, plaintext } = object;
      const whole = plaintext.length;
      const refused = async (bytes: Buffer) => {
        const stream = wholeStream(object, { layout, ciphertext: streamOf(bytes, unit) });
        const { given, error } = await untilFailure(stream);
        assert.ok(envelopeError('authentication_failed', 'malformed', 'truncated', 'size_mismatch')(error));
        assert.ok(given.length < whole);
        assertSame(given, plaintext.subarray(0, given.length));
      };
      for (let at = layout.messagesBytes; at < stored.length; at += 37) await refused(flipBit(stored, at * 8 + 3));
      for (const missing of [1, 8, 100, stored.length - layout.messagesBytes])
        await refused(stored.subarray(0, -missing));
      await refused(Buffer.concat([stored, Buffer.of(0)]));
    }
  });

  it('is checked against the index that the layout came from (F1-READ-4)', async () => {
    const parts = [
      { partNumber: 1, plaintext: payload(part) },
      { partNumber: 2, plaintext: payload(100) },
    ];
    const object = writeObject({ parts });
    // A second genuine object of the same keys and sizes, of which only the attempts differ.
    const again = writeObject({ parts, secrets: object.secrets });
    const { messagesBytes } = layoutOf(object);
    const mixed = Buffer.concat([object.stored.subarray(0, messagesBytes), again.stored.subarray(messagesBytes)]);
    const stream = wholeStream(object, { layout: layoutOf(object), ciphertext: streamOf(mixed, unit) });
    const { given, error } = await untilFailure(stream);
    assert.ok(failed(error));
    assert.ok(given.length < part + 100);
  });
});

describe('whole objects of the wrong length', () => {
  it('are refused at once where no object has that size, or the index another (F1-SIZE-2)', () => {
    const object = single(100);
    const input = { ...object, ciphertext: streamOf(object.stored, 100) };
    assert.throws(() => decryptWholeSingle({ ...input, storedBytes: 415 }), envelopeError('not_format_1'));
    const several = multipart([part, 5]);
    const layout = layoutOf(several);
    const storedBytes = several.stored.length + 1;
    const wrong = { ...several, ciphertext: streamOf(several.stored, 100), layout, storedBytes };
    assert.throws(() => decryptWholeMultipart(wrong), envelopeError('size_mismatch'));
  });
});

describe('a stream of plaintext', () => {
  it('releases its source when it is left early, and on a failure', async () => {
    const object = single(3 * unit);
    for (const bytes of [object.stored, flipBit(object.stored, 800)]) {
      const { state, stream } = watched(bytes, 10_000);
      const iterator = wholeStream(object, { ciphertext: stream })[Symbol.asyncIterator]();
      if (bytes === object.stored) {
        await iterator.next();
        await iterator.return?.();
      } else await assert.rejects(iterator.next(), failed);
      assert.equal(state.released, 1);
      assert.equal((await iterator.next()).done, true);
    }
  });

  it('passes the failure of its source on', async () => {
    const object = single(3 * unit);
    const broken = new Error('backend went away');
    async function* source(): AsyncGenerator<Uint8Array> {
      yield object.stored.subarray(0, 2 * unit);
      throw broken;
    }
    const { given, error } = await untilFailure(wholeStream(object, { ciphertext: source() }));
    assert.equal(error, broken);
    assertSame(given, object.plaintext.subarray(0, unit));
  });

  it('needs its secrets no longer than the call', async () => {
    const object = single(2 * unit);
    const own = object.secrets.clone();
    const stream = wholeStream({ ...object, secrets: own });
    own.dispose();
    assertSame(await collect(stream), object.plaintext);
  });
});
