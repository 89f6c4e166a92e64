import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { cut } from '../../../src/base/cut.ts';

const text = async (stream: ByteStream): Promise<string> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

/** A stream that says whether it was ended. */
function observed(chunks: readonly string[]): { readonly stream: ByteStream; readonly ended: () => boolean } {
  let ended = false;
  async function* generate(): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of chunks) yield Buffer.from(chunk);
    } finally {
      ended = true;
    }
  }
  return { stream: generate(), ended: () => ended };
}

describe('a stream that is cut in two', () => {
  for (const chunks of [['abcdef'], ['abc', 'def'], ['ab', 'cd', 'ef'], ['a', 'b', 'c', 'd', 'e', 'f']]) {
    for (const at of [0, 1, 2, 3, 5, 6]) {
      it(`gives ${at} bytes of ${chunks.join('|')} and then the rest`, async () => {
        const { stream, ended } = observed(chunks);
        const [before, after] = cut(stream, at);
        assert.equal(await text(before), 'abcdef'.slice(0, at));
        assert.equal(await text(after), 'abcdef'.slice(at));
        assert.ok(ended());
      });
    }
  }

  it('ends the source where the first part is left early, or the second is not read', async () => {
    const early = observed(['abc', 'def']);
    const [before] = cut(early.stream, 4);
    for await (const _ of before) break;
    assert.ok(early.ended());
    const unread = observed(['abc', 'def']);
    const [first, second] = cut(unread.stream, 3);
    await text(first);
    assert.ok(!unread.ended());
    await second[Symbol.asyncIterator]().return?.();
    assert.ok(unread.ended());
  });
});
