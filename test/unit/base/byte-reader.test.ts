import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { ByteReader, ReaderClosedError, UnexpectedEndError } from '../../../src/base/byte-reader.ts';
import { ownedStream } from '../../../src/base/owned-stream.ts';
import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { handOver, lendPart } from '../../../src/base/chunk-memory.ts';

interface Source {
  readonly stream: ByteStream;
  pulls: number;
  returns: number;
}

function sourceOf(chunks: readonly Uint8Array[], failure?: Error): Source {
  const source: Source = {
    pulls: 0,
    returns: 0,
    stream: {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = chunks[source.pulls];
          source.pulls += 1;
          if (value !== undefined) return { done: false, value };
          if (failure !== undefined) throw failure;
          return { done: true, value: undefined };
        },
        return: async () => {
          source.returns += 1;
          return { done: true, value: undefined };
        },
      }),
    },
  };
  return source;
}

const text = (...parts: string[]) => parts.map((part) => Buffer.from(part));
const strings = (pieces: readonly Uint8Array[]) => pieces.map((piece) => Buffer.from(piece).toString());

async function collect(stream: ByteStream): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe('ByteReader', () => {
  it('hands out views of the chunks, across their borders', async () => {
    const chunks = text('abc', '', 'defg', 'h');
    const reader = new ByteReader(sourceOf(chunks).stream);
    assert.deepEqual(strings(await reader.read(5)), ['abc', 'de']);
    const [piece] = await reader.read(2);
    assert.equal(piece?.buffer, chunks[2]?.buffer);
    assert.deepEqual(strings([piece ?? new Uint8Array()]), ['fg']);
    assert.deepEqual(strings(await reader.read(9)), ['h']);
    assert.deepEqual(await reader.read(9), []);
  });

  it('pulls no chunk that it does not need', async () => {
    const source = sourceOf(text('abc', 'def'));
    const reader = new ByteReader(source.stream);
    assert.deepEqual(await reader.read(0), []);
    assert.equal(source.pulls, 0);
    await reader.read(3);
    assert.equal(source.pulls, 1);
    assert.equal(await reader.atEnd(), false);
    assert.equal(await reader.atEnd(), false);
    assert.equal(source.pulls, 2);
    await reader.read(3);
    assert.equal(await reader.atEnd(), true);
  });

  it('reads exact lengths in one piece, copying only across chunks', async () => {
    const chunks = text('abcd', 'ef');
    const reader = new ByteReader(sourceOf(chunks).stream);
    const first = await reader.readExact(3);
    assert.equal(first.buffer, chunks[0]?.buffer);
    assert.deepEqual(strings([first, await reader.readExact(2)]), ['abc', 'de']);
    assert.equal((await reader.readExact(0)).length, 0);
    await assert.rejects(reader.readExact(2), (error) => {
      assert.ok(error instanceof UnexpectedEndError);
      assert.equal(error.code, 'unexpected_end');
      return true;
    });
  });
});

const lengthsOf = (pieces: readonly Uint8Array[]): number[] => pieces.map(({ length }) => length);
const joined = (pieces: readonly Uint8Array[]): Buffer => Buffer.concat(pieces);

describe('ByteReader: lending', () => {
  const size = 16 * 1024;

  it('frees a chunk that was handed over once its last piece was used, and not before', async () => {
    const chunks = [1, 2, 3].map((value) => handOver(Buffer.alloc(size, value)));
    const reader = new ByteReader(sourceOf(chunks).stream);
    const during = async (length: number): Promise<readonly number[]> =>
      await reader.lend(length, () => lengthsOf(chunks));
    assert.deepEqual(await during(size - 1), [size, size, size]);
    assert.deepEqual(await during(2), [size, size, size]);
    assert.deepEqual(lengthsOf(chunks), [0, size, size]);
    const pieces = await reader.lend(size, (lent) => lent.map((piece) => [piece.length, piece[0]]));
    assert.deepEqual(pieces, [
      [size - 1, 2],
      [1, 3],
    ]);
    assert.deepEqual(lengthsOf(chunks), [0, 0, size]);
    await reader.lend(size, () => undefined);
    assert.deepEqual(lengthsOf(chunks), [0, 0, 0], 'and so at the end');
    await reader.close();
  });

  it('frees it also where its use fails', async () => {
    const chunk = handOver(Buffer.alloc(size));
    const reader = new ByteReader(sourceOf([chunk]).stream);
    await assert.rejects(
      reader.lend(size, () => {
        throw new Error('of no use');
      }),
      /of no use/,
    );
    assert.equal(chunk.length, 0);
  });

  it('leaves alone what was read, and what nobody handed over', async () => {
    const chunks = [handOver(Buffer.alloc(size)), Buffer.alloc(size), handOver(Buffer.alloc(size))];
    const reader = new ByteReader(sourceOf(chunks).stream);
    await reader.read(size);
    await reader.lend(size, lengthsOf);
    await reader.lend(1, lengthsOf);
    await collect(reader.rest());
    await reader.lend(1, lengthsOf);
    assert.ok(chunks.every(({ length }) => length === size));
  });

  it('never frees a byte that is still to come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: size, max: size + 3 }), { maxLength: 6 }),
        fc.array(fc.record({ length: fc.nat({ max: 2 * size }), lends: fc.boolean() }), { maxLength: 20 }),
        async (chunkLengths, steps) => {
          const all = Buffer.concat(chunkLengths.map((length, index) => Buffer.alloc(length, index + 1)));
          let start = 0;
          const chunks = chunkLengths.map((length) => {
            start += length;
            return handOver(Buffer.from(new Uint8Array(all.subarray(start - length, start)).buffer));
          });
          const reader = new ByteReader(sourceOf(chunks).stream);
          let offset = 0;
          for (const { length, lends } of steps) {
            const got = lends ? await reader.lend(length, joined) : joined(await reader.read(length));
            assert.ok(got.equals(all.subarray(offset, offset + length)));
            offset = Math.min(all.length, offset + length);
          }
          assert.ok(Buffer.concat(await collect(reader.rest())).equals(all.subarray(offset)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('ByteReader: lifetime of the source', () => {
  it('gives what is left as a stream, and closes the source at its end', async () => {
    const source = sourceOf(text('abc', 'def', 'ghi'));
    const reader = new ByteReader(source.stream);
    await reader.read(2);
    assert.deepEqual(strings(await collect(reader.rest())), ['c', 'def', 'ghi']);
    assert.equal(source.returns, 0, 'a source that ended by itself is not returned');
  });

  it('closes the source when the rest is left early, even before its first step', async () => {
    for (const steps of [0, 1]) {
      const source = sourceOf(text('abc', 'def', 'ghi'));
      const reader = new ByteReader(source.stream);
      await reader.read(2);
      const iterator = reader.rest()[Symbol.asyncIterator]();
      for (let step = 0; step < steps; step += 1) await iterator.next();
      await iterator.return?.();
      assert.equal(source.returns, 1);
      assert.equal((await iterator.next()).done, true);
    }
  });

  it('closes once; what follows is an error, not the end of the stream', async () => {
    const source = sourceOf(text('abc', 'def'));
    const reader = new ByteReader(source.stream);
    await reader.read(1);
    await reader.close();
    await reader.close();
    assert.equal(source.returns, 1);
    await assert.rejects(reader.read(1), ReaderClosedError);
    await assert.rejects(reader.atEnd(), ReaderClosedError);
  });

  it('fails a read that was under way when it was closed', async () => {
    const reader = new ByteReader(sourceOf(text('abc', 'def')).stream);
    const reading = assert.rejects(reader.read(6), ReaderClosedError);
    await reader.close();
    await reading;
  });

  it('stays at the end when it is closed there', async () => {
    const source = sourceOf(text('abc'));
    const reader = new ByteReader(source.stream);
    await reader.read(4);
    await reader.close();
    assert.equal(await reader.atEnd(), true);
    assert.equal(source.returns, 0);
  });

  it('throws what the source threw, each time, and does not return such a source', async () => {
    const failure = new Error('reset by peer');
    const source = sourceOf(text('abc'), failure);
    const reader = new ByteReader(source.stream);
    await assert.rejects(reader.read(4), failure);
    await assert.rejects(reader.read(4), failure);
    await reader.close();
    assert.equal(source.returns, 0);
  });

  it('closes the source when a step of a stream over it fails', async () => {
    const source = sourceOf(text('abc', 'def'));
    const failure = new Error('step failed');
    const reader = new ByteReader(source.stream);
    const fail = async () => {
      throw failure;
    };
    const stream = ownedStream(fail, () => reader.close());
    await assert.rejects(collect(stream), failure);
    assert.equal(source.returns, 1);
  });
});

describe('ByteReader: any chunks, any lengths', () => {
  it('cuts any chunks into any lengths without losing or moving a byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 9 })),
        fc.array(fc.nat({ max: 12 })),
        async (chunks, lengths) => {
          const all = Buffer.concat(chunks);
          const reader = new ByteReader(sourceOf(chunks).stream);
          let offset = 0;
          for (const length of lengths) {
            const pieces = await reader.read(length);
            assert.ok(pieces.every((piece) => piece.length > 0));
            assert.deepEqual(Buffer.concat(pieces), all.subarray(offset, offset + length));
            offset = Math.min(all.length, offset + length);
          }
          assert.deepEqual(Buffer.concat(await collect(reader.rest())), all.subarray(offset));
        },
      ),
    );
  });
});

describe('own', () => {
  const large = 16 * 1024;
  const handed = (fill: number) => handOver(Buffer.alloc(large, fill));

  it('gives chunks that were handed over as they are, and copies of the rest, each alone in its memory', async () => {
    const chunks = [Buffer.from('abc'), Buffer.from('def'), handed(1), Buffer.alloc(large, 2), handed(3)];
    const whole = Buffer.concat(chunks);
    const reader = new ByteReader(sourceOf(chunks).stream);
    const first = await reader.own(6 + 2 * large + 100);
    const second = await reader.own(large);
    assert.deepEqual(Buffer.concat([...first, ...second]), whole);
    assert.deepEqual(
      [...first, ...second].map(({ length }) => length),
      [6, large, large + 100, large - 100],
    );
    assert.equal(first[1]?.buffer, chunks[2]?.buffer, 'this one was not copied');
    assert.equal(second[0]?.buffer, chunks[4]?.buffer, 'nor this one, whose beginning was');
    for (const { buffer } of [...first, ...second]) {
      assert.ok(buffer instanceof ArrayBuffer);
      structuredClone(undefined, { transfer: [buffer] });
    }
    assert.equal(chunks[0]?.toString(), 'abc');
    assert.equal(chunks[3]?.length, large);
    assert.deepEqual(await reader.own(1), []);
  });

  it('gives back what it had to copy, and only that', async () => {
    const buffer = new Uint8Array(2 * large).fill(1);
    let givenBack = 0;
    lendPart(buffer.buffer, large, () => {
      givenBack += 1;
    });
    const part = handOver(buffer.subarray(0, large));
    const whole = handed(2);
    const reader = new ByteReader(sourceOf([part, whole]).stream);
    const pieces = await reader.own(2 * large);
    assert.equal(givenBack, 1);
    assert.deepEqual(
      pieces.map((piece) => [piece.length, piece[0]]),
      [
        [large, 1],
        [large, 2],
      ],
    );
    assert.equal(pieces[1]?.buffer, whole.buffer);
  });
});
