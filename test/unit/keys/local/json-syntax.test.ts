import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { jsonErrorPosition } from '../../../../src/keys/local/json-syntax.ts';

const broken: readonly (readonly [text: string, line: number, column: number])[] = [
  ['', 1, 1],
  ['  ', 1, 3],
  ['{', 1, 2],
  ['{"a":1', 1, 7],
  ['{"a":1,}', 1, 8],
  ['{"a" 1}', 1, 6],
  ['{a:1}', 1, 2],
  ['[1,2', 1, 5],
  ['[1 2]', 1, 4],
  ['{\n  "a": 01\n}', 2, 9],
  ['{\n  "a": "x\ny"\n}', 2, 8],
  ['{"a":"\\x"}', 1, 6],
  ['{"a":"\\u12g4"}', 1, 6],
  ['"abc', 1, 1],
  ['nul', 1, 1],
  ["{'a':1}", 1, 2],
  ['{"a":1} x', 1, 9],
  ['[1,]', 1, 4],
  ['NaN', 1, 1],
  ['-', 1, 1],
  ['1.', 1, 2],
  ['\u00a0{}', 1, 1],
];

for (const [text, line, column] of broken) {
  test(`finds where ${JSON.stringify(text)} breaks off`, () => {
    assert.throws(() => JSON.parse(text), 'the engine takes it for JSON');
    assert.deepEqual(jsonErrorPosition(text), { line, column });
  });
}

test('says of any text what the engine says', () => {
  const nearJson = fc
    .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', ',', '"', '\\', '{', '}', '0', ' ', '\n', '\u0001'))
    .map(
      ([text, at, put]) =>
        `${text.slice(0, at % (text.length + 1))}${put}${text.slice((at % (text.length + 1)) + (at % 2))}`,
    );
  fc.assert(
    fc.property(nearJson, (text) => {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      assert.equal(jsonErrorPosition(text) === undefined, isJson, text);
    }),
    { numRuns: 2000 },
  );
});

test('nesting and length do not exhaust it', () => {
  assert.equal(jsonErrorPosition(`${'['.repeat(32)}${']'.repeat(32)}`), undefined);
  assert.deepEqual(jsonErrorPosition('['.repeat(1_000_000)), { line: 1, column: 33 });
  const long = 'x'.repeat(1_048_000);
  assert.equal(jsonErrorPosition(`{"a":"${long}"}`), undefined);
  assert.deepEqual(jsonErrorPosition(`{"a":"${long}`), { line: 1, column: 6 });
  assert.deepEqual(jsonErrorPosition(`{"a":${' '.repeat(1_048_000)}`), { line: 1, column: 1_048_006 });
  assert.deepEqual(jsonErrorPosition(`[${'1,'.repeat(500_000)}`), { line: 1, column: 1_000_002 });
});
