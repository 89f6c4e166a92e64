import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, it, mock } from 'node:test';

import { systemRandom } from '../../../src/crypto/random.ts';
import { needs } from '../../support/gaps.ts';

/** What the generator gave, in order, and the memory that it was given in. */
function watchGenerator(): { readonly drawn: Buffer[]; readonly memory: Set<Uint8Array> } {
  const fill = crypto.randomFillSync;
  const drawn: Buffer[] = [];
  const memory = new Set<Uint8Array>();
  mock.method(crypto, 'randomFillSync', (bytes: Uint8Array) => {
    fill(bytes);
    drawn.push(Buffer.from(bytes));
    memory.add(bytes);
    return bytes;
  });
  syncBuiltinESMExports();
  return { drawn, memory };
}

/** Uses up what is left of earlier draws: at most a pool of 4 KiB. */
function useUp(): void {
  for (let count = 0; count < 4096 / 256; count += 1) systemRandom(256);
}

afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
});

describe('systemRandom', () => {
  it('gives bytes of the generator, each of them once, whatever is drawn between', needs('liveBuiltins'), () => {
    const { drawn } = watchGenerator();
    useUp();
    const lengths = [12, 32, 32, 128, 24, 1, 0, 300, 4096, 8, 255, 256, 257, 5000];
    const taken = new Map<number, [start: number, end: number][]>();
    for (let count = 0; count < 2000; count += 1) {
      const length = lengths[count % lengths.length] ?? 0;
      const given = systemRandom(length);
      assert.equal(given.length, length);
      // Shorter ones may be found in several places.
      if (length < 8) continue;
      const source = drawn.findLastIndex((bytes) => bytes.includes(given));
      assert.ok(source >= 0, `draw ${count} of ${length} bytes is of the generator`);
      const start = drawn[source]?.indexOf(given) ?? -1;
      const others = taken.get(source) ?? [];
      const overlaps = others.some(([from, to]) => start < to && from < start + length);
      assert.ok(!overlaps, `draw ${count} of ${length} bytes was given out before`);
      taken.set(source, [...others, [start, start + length]]);
    }
  });

  it('keeps nothing of what it gave out', needs('liveBuiltins'), () => {
    const { memory, drawn } = watchGenerator();
    useUp();
    memory.clear();
    drawn.length = 0;
    while (memory.size === 0) systemRandom(64);
    const [pool] = memory;
    assert.ok(pool !== undefined);
    assert.equal(pool.buffer.byteLength, pool.byteLength, 'its memory is shared with nothing');
    const first = drawn[0]?.subarray(0, 64) ?? Buffer.alloc(0);
    assert.ok(!Buffer.from(pool).includes(first));
    assert.deepEqual(Buffer.from(pool.subarray(0, 64)), Buffer.alloc(64));
    const second = systemRandom(128);
    assert.ok(second.some((byte) => byte !== 0));
    assert.deepEqual(Buffer.from(pool.subarray(0, 192)), Buffer.alloc(192));
    assert.ok(pool.subarray(192).some((byte) => byte !== 0));
  });

  it('gives no eight bytes twice, across refills of the pool', () => {
    const lengths = [12, 32, 8, 128, 24, 300, 256, 257, 96];
    const seen = new Set<bigint>();
    let count = 0;
    for (let draw = 0; draw < 900; draw += 1) {
      const length = lengths[draw % lengths.length] ?? 0;
      const given = Buffer.from(systemRandom(length));
      assert.equal(given.length, length);
      for (let at = 0; at + 8 <= length; at += 1, count += 1) seen.add(given.readBigUInt64BE(at));
    }
    assert.equal(seen.size, count);
  });

  it("gives memory that is the caller's alone", () => {
    const [one, other] = [systemRandom(32), systemRandom(32)];
    const copy = Uint8Array.from(other);
    one.fill(0);
    assert.deepEqual(other, copy);
  });

  it("gives memory outside of V8's heap, whatever the length", () => {
    // An array on the heap gets a buffer of its own length when it is asked for one.
    for (const length of [1, 12, 32, 64]) assert.ok(systemRandom(length).buffer.byteLength > 64, `${length} bytes`);
  });
});
