import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { claim, handOver, handOverEnd, keep, lendPart, release } from '../../../src/base/chunk-memory.ts';

const large = 32 * 1024;

describe('memory of chunks', () => {
  it('is freed when a chunk that was handed over is released', () => {
    const chunk = handOver(Buffer.alloc(large, 1));
    const view = chunk.subarray(10);
    release(chunk);
    assert.equal(chunk.length, 0, 'no byte is seen through the chunk');
    assert.equal(view.length, 0, 'nor through its views');
    release(chunk);
  });

  it('goes to whoever asked for it instead, without other references', () => {
    const reused: ArrayBuffer[] = [];
    const chunk = handOver(Buffer.alloc(large, 1), (buffer) => reused.push(buffer));
    release(chunk);
    release(chunk);
    assert.equal(chunk.length, 0);
    assert.deepEqual(reused, [new Uint8Array(Buffer.alloc(large, 1)).buffer]);
  });

  it('is the claimant’s, once, where the chunk was handed over', () => {
    const chunk = handOver(Buffer.alloc(large, 1));
    assert.equal(claim(chunk.subarray(0)), false);
    assert.equal(claim(chunk), true);
    assert.equal(claim(chunk), false);
    release(chunk);
    assert.equal(chunk.length, large);
    assert.equal(claim(Buffer.alloc(large)), false);
  });

  it('stays where the chunk was not handed over', () => {
    const chunk = Buffer.alloc(large, 1);
    release(chunk);
    assert.equal(chunk.length, large);
  });

  it('stays when a view is released, as its chunk may be in use', () => {
    const chunk = handOver(Buffer.alloc(large, 1));
    release(chunk.subarray(0));
    release(chunk.subarray(1));
    assert.equal(chunk.length, large);
  });

  it('stays where somebody keeps the chunk', () => {
    const chunk = handOver(Buffer.alloc(large, 1));
    keep(chunk);
    release(chunk);
    assert.equal(chunk.length, large);
  });

  it('stays where it is part of something larger, shared, or small', () => {
    const part = Buffer.alloc(large * 2).subarray(large);
    const shared = new Uint8Array(new SharedArrayBuffer(large));
    const small = Buffer.alloc(100);
    for (const chunk of [part, shared, small]) {
      const { length } = chunk;
      release(handOver(chunk));
      assert.equal(chunk.length, length);
    }
  });
});

/** A buffer, its first half lent, and how often it was given back. */
function lent() {
  const buffer = Buffer.allocUnsafeSlow(2 * large).fill(1);
  const state = { buffer, givenBack: 0 };
  lendPart(buffer.buffer, large, () => {
    state.givenBack += 1;
  });
  return state;
}

describe('a part that was lent', () => {
  it('is given back once, when the view that was handed over is released, and keeps its memory', () => {
    const state = lent();
    const view = handOver(state.buffer.subarray(0, large));
    assert.equal(state.givenBack, 0);
    release(view);
    release(view);
    assert.equal(state.givenBack, 1);
    assert.equal(view.length, large);
    assert.equal(state.buffer.length, 2 * large);
  });

  it('can be lent again afterwards', () => {
    const state = lent();
    release(handOver(state.buffer.subarray(0, large)));
    lendPart(state.buffer.buffer, 100, () => {
      state.givenBack += 10;
    });
    release(handOver(state.buffer.subarray(0, 100)));
    assert.equal(state.givenBack, 11);
  });

  it('is not the claimant’s, and stays lent when a view of the view is released', () => {
    const state = lent();
    const view = handOver(state.buffer.subarray(0, large));
    assert.equal(claim(view), false);
    release(view.subarray(0));
    assert.equal(state.givenBack, 0);
    release(view);
    assert.equal(state.givenBack, 1);
  });

  it('is never given back where somebody keeps the view', () => {
    const state = lent();
    const view = handOver(state.buffer.subarray(0, large));
    keep(view);
    release(view);
    assert.equal(state.givenBack, 0);
  });

  it('is never given back where only a part of it is handed over, by whomever, whatever is handed over later', () => {
    for (const [from, to] of [
      [0, large - 1],
      [1, large],
      [0, large + 1],
    ]) {
      const state = lent();
      release(handOver(state.buffer.subarray(from, to)));
      release(handOver(state.buffer.subarray(0, large)));
      assert.equal(state.givenBack, 0);
    }
  });

  it('is given back by its end alone where nobody uses what is in front of that', () => {
    for (const from of [0, 1, large - 1]) {
      const state = lent();
      release(handOverEnd(state.buffer.subarray(from, large)));
      assert.equal(state.givenBack, 1);
    }
    for (const to of [large - 1, large + 1]) {
      const state = lent();
      release(handOverEnd(state.buffer.subarray(0, to)));
      assert.equal(state.givenBack, 0);
    }
  });

  it('is not what is handed over by its end where nothing was lent', () => {
    const chunk = handOverEnd(Buffer.alloc(large, 1));
    const view = handOverEnd(Buffer.alloc(large, 1).subarray(1));
    release(chunk);
    release(view);
    assert.deepEqual([chunk.length, view.length], [0, large - 1]);
  });
});
