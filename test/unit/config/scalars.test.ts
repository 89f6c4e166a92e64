import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { parseDuration, parseSize } from '../../../src/config/scalars.ts';
import { editDistance, suggest } from '../../../src/config/suggest.ts';

test('durations', () => {
  for (const [text, value] of [
    ['500ms', 500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5s', 1500],
    ['2d', 172_800_000],
    ['0s', 0],
    ['1 h', 3_600_000],
    ['5', undefined],
    ['5 min', undefined],
    ['-5m', undefined],
    ['1e3s', undefined],
    ['0.0001s', undefined],
    ['5M', undefined],
    ['5constructor', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(parseDuration(text), value, text);
  }
});

test('sizes', () => {
  for (const [text, value] of [
    ['64KiB', 65_536],
    ['5TiB', 5 * 2 ** 40],
    ['50 TiB', 50 * 2 ** 40],
    ['10MB', 10_000_000],
    ['1.5KiB', 1536],
    ['0', 0],
    ['123', 123],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', undefined],
    ['9PiB', undefined],
    ['1.5', undefined],
    ['0.1KiB', undefined],
    ['64kib', undefined],
    ['-1', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(parseSize(text), value, text);
  }
});

test('the edit distance is a metric, but for swaps, and bounded by the lengths', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
  fc.assert(
    fc.property(word, word, (left, right) => {
      const distance = editDistance(left, right);
      assert.equal(distance, editDistance(right, left));
      assert.equal(distance === 0, left === right);
      assert.ok(distance <= Math.max(left.length, right.length));
      assert.ok(distance >= Math.abs(left.length - right.length));
    }),
  );
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('prot', 'port'), 1);
});

test('suggestions are near or none', () => {
  assert.equal(suggest('prot', ['host', 'port']), 'port');
  assert.equal(suggest('Port', ['host', 'port']), 'port');
  assert.equal(suggest('zzz', ['host', 'port']), undefined);
  assert.equal(suggest('x'.repeat(100_000), ['host']), undefined);
  assert.equal(suggest('a', []), undefined);
});
