import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isZero, zeroStream } from '../../../src/envelope/zeros.ts';

describe('zeros', () => {
  it('are told from anything else, at every length around the block it compares', () => {
    for (const length of [0, 1, 8, 65_535, 65_536, 65_537, 200_001]) {
      assert.ok(isZero(Buffer.alloc(length)));
      for (const at of [0, 1, 65_535, 65_536, 65_537, 131_072, length - 1]) {
        if (at < 0 || at >= length) continue;
        const bytes = Buffer.alloc(length);
        bytes[at] = 0x80;
        assert.ok(!isZero(bytes), `${length} bytes, not zero at ${at}`);
      }
    }
  });

  it('are found in a view that does not start at the memory’s first byte', () => {
    const bytes = Buffer.alloc(100, 1);
    bytes.fill(0, 10, 50);
    assert.ok(isZero(bytes.subarray(10, 50)));
    assert.ok(!isZero(bytes.subarray(9, 50)));
    assert.ok(!isZero(bytes.subarray(10, 51)));
  });

  it('come in exactly the length asked for', () => {
    for (const length of [0, 1, 65_536, 65_537, 300_000]) {
      const chunks = [...zeroStream(length)];
      assert.equal(
        chunks.reduce((sum, chunk) => sum + chunk.length, 0),
        length,
      );
      assert.ok(chunks.every((chunk) => chunk.length > 0 && chunk.every((byte) => byte === 0)));
    }
  });
});
