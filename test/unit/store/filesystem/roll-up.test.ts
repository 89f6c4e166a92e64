import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rollUp, type WalkStart } from '../../../../src/store/filesystem/roll-up.ts';

interface Entry {
  readonly key: Buffer;
}

/** Walks sorted keys and counts the seeks and the entries that were looked at. */
function countingWalk(keys: readonly string[]) {
  const entries = keys.map((key) => ({ key: Buffer.from(key) })).toSorted((a, b) => Buffer.compare(a.key, b.key));
  const counts = { seeks: 0, entries: 0 };
  function* walk(start: WalkStart, end: Uint8Array): Generator<Entry> {
    counts.seeks++;
    for (const entry of entries) {
      if (Buffer.compare(entry.key, start.key) < 0 || Buffer.compare(entry.key, end) >= 0) continue;
      counts.entries++;
      yield entry;
    }
  }
  return { walk, counts };
}

const fromStart = { key: Buffer.alloc(0), id: '' };

describe('rollUp', () => {
  it('jumps over a common prefix however many keys it stands for', () => {
    const keys = ['a', 'z', ...Array.from({ length: 10_000 }, (_, index) => `many/${index}`)];
    const { walk, counts } = countingWalk(keys);
    const page = rollUp({ prefix: Buffer.alloc(0), delimiter: Buffer.from('/'), start: fromStart, limit: 1000 }, walk);
    assert.deepEqual(page.entries.map(String).length, 2);
    assert.deepEqual(page.commonPrefixes.map(String), ['many/']);
    assert.deepEqual(counts, { seeks: 2, entries: 3 });
  });

  it('looks at one entry more than a page has, to know whether it is the last', () => {
    const { walk, counts } = countingWalk(Array.from({ length: 100 }, (_, index) => `k${index}`));
    const request = { prefix: Buffer.from('k'), delimiter: Buffer.alloc(0), start: fromStart, limit: 10 };
    const page = rollUp(request, walk);
    assert.equal(page.isTruncated, true);
    assert.deepEqual(counts, { seeks: 1, entries: 11 });
    assert.equal(rollUp({ ...request, limit: 100 }, walk).isTruncated, false);
  });

  it('does not take a common prefix for the next item when it is the same as the last', () => {
    const { walk } = countingWalk(['p/1', 'p/2', 'p/3']);
    const request = { prefix: Buffer.alloc(0), delimiter: Buffer.from('/'), start: fromStart, limit: 1 };
    assert.equal(rollUp(request, walk).isTruncated, false);
  });

  it('takes delimiters of several bytes and finds them behind the prefix only', () => {
    const { walk } = countingWalk(['a--b--c', 'a--b', 'a--', 'a-']);
    const request = { prefix: Buffer.from('a--'), delimiter: Buffer.from('--'), start: fromStart, limit: 10 };
    const page = rollUp(request, walk);
    assert.deepEqual(
      page.entries.map((entry) => String(entry.key)),
      ['a--', 'a--b'],
    );
    assert.deepEqual(page.commonPrefixes.map(String), ['a--b--']);
  });
});
