import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ownedStream } from '../../../src/base/owned-stream.ts';
import { collect } from '../crypto/floe-support.ts';

/** A stream of the given chunks, then perhaps a failure, that counts how often it was closed. */
function counted(chunks: readonly Uint8Array[], { failure, closing }: { failure?: Error; closing?: Error } = {}) {
  const state = { closed: 0, pulls: 0 };
  const stream = ownedStream(
    async () => {
      const chunk = chunks[state.pulls];
      state.pulls += 1;
      if (chunk === undefined && failure !== undefined) throw failure;
      return chunk;
    },
    async () => {
      state.closed += 1;
      if (closing !== undefined) throw closing;
    },
  );
  return { state, stream, iterator: stream[Symbol.asyncIterator]() };
}

const chunks = [Buffer.of(1), Buffer.of(2, 3)];

describe('ownedStream', () => {
  it('gives every chunk and closes once at the end', async () => {
    const { state, stream, iterator } = counted(chunks);
    assert.deepEqual(await collect(stream), Buffer.of(1, 2, 3));
    assert.equal(state.closed, 1);
    assert.equal((await iterator.next()).done, true);
    await iterator.return?.();
    assert.deepEqual(state, { closed: 1, pulls: 3 });
  });

  it('closes once on a failure, which is what the reader sees even if closing fails too', async () => {
    const failure = new Error('broken');
    const { state, iterator } = counted(chunks, { failure, closing: new Error('cannot close') });
    await iterator.next();
    await iterator.next();
    await assert.rejects(iterator.next(), failure);
    assert.equal(state.closed, 1);
    assert.equal((await iterator.next()).done, true);
    assert.equal(state.closed, 1);
  });

  it('closes once when it is left early, and gives nothing afterwards', async () => {
    const { state, stream, iterator } = counted(chunks);
    for await (const chunk of stream) {
      assert.deepEqual(chunk, Buffer.of(1));
      break;
    }
    assert.equal((await iterator.next()).done, true);
    assert.deepEqual(state, { closed: 1, pulls: 1 });
  });

  it('gives what is at hand until it is left', async () => {
    const atHand = [...chunks];
    const stream = ownedStream(
      async () => undefined,
      async () => {},
      () => atHand.shift(),
    );
    const iterator = stream[Symbol.asyncIterator]();
    assert.deepEqual(iterator.ready?.(), Buffer.of(1));
    await iterator.return?.();
    assert.equal(iterator.ready?.(), undefined);
    assert.equal(atHand.length, 1);
  });

  it('closes when it is left before its first step', async () => {
    const { state, iterator } = counted(chunks);
    assert.equal((await iterator.return?.())?.done, true);
    assert.equal((await iterator.return?.())?.done, true);
    assert.deepEqual(state, { closed: 1, pulls: 0 });
  });

  it('tells when closing at the end fails', async () => {
    const closing = new Error('cannot close');
    await assert.rejects(collect(counted(chunks, { closing }).stream), closing);
  });
});
