import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { globMatch, globPrefixMatch, globRank, globsIntersect } from '../../../src/policy/glob.ts';

/** The definition itself, by recursion. */
function matches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*'))
    return matches(pattern.slice(1), text) || (text !== '' && matches(pattern, text.slice(1)));
  return text.startsWith(pattern[0] ?? '') && text !== '' && matches(pattern.slice(1), text.slice(1));
}

const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 7 });
const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 });

test('globMatch agrees with the definition', () => {
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => globMatch(pattern, text) === matches(pattern, text)),
    {
      numRuns: 2000,
    },
  );
});

test('every other character stands for itself', () => {
  for (const text of ['a.c', 'a?c', 'a[bc]', 'a+c', '^$', '\\', 'é*'.slice(0, 1)]) {
    assert.ok(globMatch(text, text));
    assert.ok(globMatch(`${text.slice(0, 1)}*`, text));
  }
  assert.equal(globMatch('a.c', 'abc'), false);
  assert.equal(globMatch('a?c', 'abc'), false);
});

test('globPrefixMatch is a match with anything behind', () => {
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => globPrefixMatch(pattern, text) === matches(`${pattern}*`, text)),
  );
});

test('globsIntersect finds exactly the pairs that some text matches', () => {
  const shortPatterns = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 4 });
  const all = [''];
  for (let index = 0; index < 2 ** 9 - 1; index += 1) all.push(`${all[index]}a`, `${all[index]}b`);
  fc.assert(
    fc.property(shortPatterns, shortPatterns, (left, right) => {
      // Two patterns of four characters meet, if at all, in a text of at most eight.
      const expected = all.some((text) => text.length <= 8 && matches(left, text) && matches(right, text));
      assert.equal(globsIntersect(left, right), expected);
    }),
    { numRuns: 500 },
  );
});

test('a pattern that is hard for regular expressions is not hard here', () => {
  const pattern = `${'a*'.repeat(500)}b`;
  assert.equal(globMatch(pattern, 'a'.repeat(100_000)), false);
});

test('ranks: exact, then the longer literal beginning, then more literal characters, then everything', () => {
  const rising = ['*', '*a', 'a*', 'a*b', 'ab*', 'ab*c*d', 'abc*', 'x'];
  const ranks = rising.map((pattern) => globRank(pattern));
  assert.deepEqual(
    ranks,
    ranks.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(ranks).size, ranks.length);
  assert.equal(globRank('*'), 0);
});
