import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { claim, handOver, keep, release } from '../../../src/base/chunk-memory.ts';

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
