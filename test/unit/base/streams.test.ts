import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { concatenate, holdBackLast, primed, readAll, releasing, streamOf } from '../../../src/base/streams.ts';

/** A source whose steps and release are counted, which fails at its end where it is told to. */
class Source implements ByteStream {
  pulls = 0;
  isReleased = false;
  readonly #chunks: readonly string[];
  readonly #failure: Error | undefined;

  constructor(chunks: readonly string[], failure?: Error) {
    this.#chunks = chunks;
    this.#failure = failure;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const chunk = this.#chunks[this.pulls];
        this.pulls += 1;
        if (chunk !== undefined) return { done: false, value: Buffer.from(chunk) };
        if (this.#failure !== undefined) throw this.#failure;
        return { done: true, value: undefined };
      },
      return: async () => {
        this.isReleased = true;
        return { done: true, value: undefined };
      },
    };
  }
}

async function textOf(stream: ByteStream): Promise<string> {
  const bytes = await readAll(stream, 1000, () => new Error('too long'));
  return Buffer.from(bytes).toString();
}

/** Every way to wrap a source. */
const wrappers: readonly (readonly [name: string, wrap: (source: ByteStream) => ByteStream])[] = [
  ['holdBackLast', holdBackLast],
  ['releasing', (source) => releasing(source, () => {})],
  ['concatenate, in front', (source) => concatenate(source, streamOf())],
  ['concatenate, behind', (source) => concatenate(streamOf(), source)],
];

for (const [name, wrap] of wrappers) {
  describe(name, () => {
    it('gives what its source gives', async () => {
      assert.equal(await textOf(wrap(new Source(['a', '', 'bc', 'd']))), 'abcd');
      assert.equal(await textOf(wrap(new Source([]))), '');
    });

    it('fails as its source fails', async () => {
      await assert.rejects(textOf(wrap(new Source(['a'], new Error('source failed')))), /source failed/);
    });

    it('releases its source when it is left, also before it began', async () => {
      const untouched = new Source(['a']);
      await wrap(untouched)[Symbol.asyncIterator]().return?.();
      assert.deepEqual([untouched.isReleased, untouched.pulls], [true, 0]);
      const begun = new Source(['a', 'b', 'c']);
      for await (const chunk of wrap(begun)) {
        assert.equal(Buffer.from(chunk).toString(), 'a');
        break;
      }
      assert.equal(begun.isReleased, true);
    });
  });
}

describe('streams of streams', () => {
  it('hold back the last chunk until the end is known to be good', async () => {
    const given: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of holdBackLast(new Source(['a', 'b', 'c'], new Error('bad end')))) {
        given.push(Buffer.from(chunk).toString());
      }
    };
    await assert.rejects(reading(), /bad end/);
    assert.deepEqual(given, ['a', 'b']);
  });

  it('pull a stream only when those before it have ended', async () => {
    const [first, second] = [new Source(['a', 'b']), new Source(['c'])];
    const chunks = concatenate(first, second)[Symbol.asyncIterator]();
    await chunks.next();
    await chunks.next();
    assert.equal(second.pulls, 0);
    await chunks.return?.();
    assert.deepEqual([first.isReleased, second.isReleased], [true, true]);
  });

  it('release once', async () => {
    let releases = 0;
    const stream = releasing(new Source(['a']), () => void releases++);
    assert.equal(await textOf(stream), 'a');
    await stream[Symbol.asyncIterator]().return?.();
    assert.equal(releases, 1);
  });

  it('release all the others where one does not let go', async () => {
    const stubborn: ByteStream = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true, value: undefined }),
        return: async () => {
          throw new Error('does not let go');
        },
      }),
    };
    for (const failure of [undefined, new Error('source failed')]) {
      const [first, last] = [new Source([], failure), new Source(['c'])];
      const chunks = concatenate(first, stubborn, last)[Symbol.asyncIterator]();
      if (failure === undefined) await chunks.return?.();
      else await assert.rejects(chunks.next(), (error) => error === failure);
      assert.equal(last.isReleased, true);
    }
  });

  it('release only when a step that is under way is over', async () => {
    const waiting = Promise.withResolvers<void>();
    const log: string[] = [];
    const source: ByteStream = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          await waiting.promise;
          log.push('step over');
          return { done: true, value: undefined };
        },
        return: async () => {
          log.push('left');
          waiting.resolve();
          return { done: true, value: undefined };
        },
      }),
    };
    const chunks = releasing(source, () => void log.push('released'))[Symbol.asyncIterator]();
    const step = chunks.next();
    await chunks.return?.();
    await step;
    assert.deepEqual(log, ['left', 'step over', 'released']);
  });

  it('tell of a failure at the first chunk before anything is given', async () => {
    await assert.rejects(primed(new Source([], new Error('at once'))), /at once/);
    assert.equal(await textOf(await primed(new Source(['a', 'b']))), 'ab');
  });
});
