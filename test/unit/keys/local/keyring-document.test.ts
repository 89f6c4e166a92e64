import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { KeyError } from '../../../../src/keys/key-provider.ts';
import { parseKeyring, serialiseKeyring } from '../../../../src/keys/local/keyring-document.ts';
import { isZero } from '../support.ts';
import { keyringText, watchKeys, written } from './support.ts';

const [one, two] = [written(1), written(2)];
const zero = Buffer.alloc(32).toString('base64');

test('a keyring is read as it is written', () => {
  const entries = parseKeyring(keyringText(one, two), 'f');
  assert.deepEqual(
    entries.map(({ version, key, created }) => ({ version, key: Buffer.from(key.bytes).toString('base64'), created })),
    [one, two],
  );
  const text = serialiseKeyring(entries);
  assert.deepEqual(JSON.parse(text), { version: 1, keys: [one, two] });
  assert.ok(text.endsWith('\n'));
});

test('versions may have gaps, and there may be a thousand of them', () => {
  assert.equal(parseKeyring(keyringText(written(3), written(9), written(10)), 'f').length, 3);
  const many = Array.from({ length: 1000 }, (_, index) => ({
    ...one,
    version: String(index + 1),
    key: Buffer.from(String(index).padStart(32, 'k')).toString('base64'),
  }));
  assert.equal(parseKeyring(keyringText(...many), 'f').length, 1000);
  assert.throws(
    () => parseKeyring(keyringText(...many, { ...two, version: '1001' }), 'f'),
    /must be a list of 1 to 1000/,
  );
});

/** A text that is refused, and what the error has to say. */
const refused: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
  empty: ['', /^keyring f is not valid JSON at line 1, column 1$/],
  truncated: [keyringText(one, two).slice(0, -60), /^keyring f is not valid JSON at line \d+, column \d+$/],
  'truncated in the key': [
    keyringText(one).slice(0, keyringText(one).indexOf(one.key) + 20),
    /^keyring f is not valid JSON at line 6, column 14$/,
  ],
  'with a comma too many': [keyringText(one).replace(/\}\s*\]/, '},]'), /^keyring f is not valid JSON at line/],
  'a list': ['[]', /^keyring f: the document must be an object$/],
  null: ['null', /^keyring f: the document must be an object$/],
  'without version': ['{"keys":[]}', /^keyring f: version must be 1$/],
  'of another version': [keyringText(one).replace('"version": 1,', '"version": 2,'), /^keyring f: version must be 1$/],
  'without keys': ['{"version":1}', /^keyring f: keys must be a list of 1 to 1000 keys$/],
  'with no key': [keyringText(), /^keyring f: keys must be a list of 1 to 1000 keys$/],
  'with keys that are no list': ['{"version":1,"keys":{}}', /^keyring f: keys must be a list/],
  'with an unknown field': [
    '{"version":1,"keys":[],"comment":""}',
    /^keyring f: the document has an unknown field "comment"; it may have version, keys$/,
  ],
  'with an unknown field of a key': [
    keyringText({ ...one, algorithm: 'aes' }),
    /^keyring f: keys\[0\] has an unknown field "algorithm"; it may have version, key, created, retired$/,
  ],
  'with a key that is no object': [keyringText(one, ['x']), /^keyring f: keys\[1\] must be an object$/],
  'with a number for a version': [
    keyringText({ ...one, version: 1 }),
    /^keyring f: keys\[0\]\.version must be a decimal/,
  ],
  'with version 0': [keyringText({ ...one, version: '0' }), /^keyring f: keys\[0\]\.version must be a decimal/],
  'with version 01': [keyringText({ ...one, version: '01' }), /^keyring f: keys\[0\]\.version must be a decimal/],
  'with a version too long': [
    keyringText({ ...one, version: '1'.repeat(10) }),
    /^keyring f: keys\[0\]\.version must be/,
  ],
  'with versions out of order': [keyringText(two, one), /^keyring f: keys\[1\]\.version must be larger than/],
  'with a version twice': [
    keyringText(one, { ...two, version: '1' }),
    /^keyring f: keys\[1\]\.version must be larger than/,
  ],
  'with a time that is none': [
    keyringText({ ...one, created: 'yesterday' }),
    /^keyring f: keys\[0\]\.created must be an ISO/,
  ],
  'with a thirteenth month': [
    keyringText({ ...one, created: '2026-13-01T00:00:00Z' }),
    /keys\[0\]\.created must be an ISO/,
  ],
  'without a key': [
    keyringText({ version: '1', created: one.created }),
    /^keyring f: keys\[0\]\.key must be 32 bytes in base64/,
  ],
  'with a key too short': [
    keyringText({ ...one, key: Buffer.alloc(31, 5).toString('base64') }),
    /keys\[0\]\.key must be 32 bytes/,
  ],
  'with a key too long': [
    keyringText({ ...one, key: Buffer.alloc(33, 5).toString('base64') }),
    /keys\[0\]\.key must be 32 bytes/,
  ],
  'with a key in hex': [
    keyringText({ ...one, key: Buffer.alloc(32, 5).toString('hex') }),
    /keys\[0\]\.key must be 32 bytes/,
  ],
  'with a key in base64url': [keyringText({ ...one, key: `_-${one.key.slice(2)}` }), /keys\[0\]\.key must be 32 bytes/],
  'with a key without padding': [keyringText({ ...one, key: one.key.slice(0, -1) }), /keys\[0\]\.key must be 32 bytes/],
  'with bits beyond the key': [keyringText({ ...one, key: `${'A'.repeat(42)}B=` }), /keys\[0\]\.key must be 32 bytes/],
  'with a key of zeros': [
    keyringText({ ...one, key: zero }),
    /^keyring f: keys\[0\]\.key must be random, but it is all zero$/,
  ],
  'with the same key twice': [
    keyringText(one, { ...two, key: one.key }),
    /^keyring f: keys\[1\]\.key must differ from keys\[0\]\.key$/,
  ],
  'whose current version is retired': [
    keyringText(one, { ...two, retired: one.created }),
    /^keyring f: keys\[1\]\.retired must not stand at the current version$/,
  ],
  'retired at no time': [
    keyringText({ ...one, retired: true }, two),
    /^keyring f: keys\[0\]\.retired must be an ISO 8601 time$/,
  ],
};

for (const [what, [text, message]] of Object.entries(refused)) {
  test(`a keyring ${what} is refused, with the place and nothing of a key`, () => {
    assert.throws(
      () => parseKeyring(text, 'f'),
      (error: unknown) => {
        assert.ok(error instanceof KeyError && error.code === 'misconfigured', String(error));
        assert.match(error.message, message);
        showsNoKey(inspect(error, { depth: 10, showHidden: true }));
        return true;
      },
    );
  });
}

test('the keys of a keyring that is refused are zeroed, and so is what they were decoded into', (t) => {
  const { keys, decoded } = watchKeys(t);
  for (const [text] of Object.values(refused)) assert.throws(() => parseKeyring(text, 'f'));
  assert.ok(keys.length >= 5, `${keys.length}`);
  assert.ok(keys.every(isZero));
  const before = keys.length;
  assert.equal(parseKeyring(keyringText(one, two), 'f').length, 2);
  assert.deepEqual(keys.slice(before).map(isZero), [false, false]);
  assert.ok(decoded.every(isZero));
});

test('a key put where a name belongs is not shown', () => {
  for (const name of [one.key, Buffer.from(one.key, 'base64').toString('hex'), 'x'.repeat(25)]) {
    assert.throws(
      () => parseKeyring(keyringText({ ...one, [name]: '' }), 'f'),
      (error: unknown) => {
        assert.ok(error instanceof KeyError);
        assert.equal(
          error.message,
          'keyring f: keys[0] has an unknown field; it may have version, key, created, retired',
        );
        return true;
      },
    );
  }
});

test('whatever one byte of a keyring is changed to, no error shows a key', () => {
  const text = keyringText(one, two);
  for (let at = 0; at < text.length; at++) {
    for (const put of ['', '"', '\\', 'A', '{', '\n']) {
      try {
        parseKeyring(`${text.slice(0, at)}${put}${text.slice(at + 1)}`, 'f');
      } catch (error) {
        assert.ok(error instanceof KeyError && error.code === 'misconfigured', String(error));
        showsNoKey(inspect(error, { depth: 10, showHidden: true }));
      }
    }
  }
});

/** No six characters in a row of any key. */
function showsNoKey(printed: string): void {
  for (const { key } of [one, two]) {
    for (let at = 0; at + 6 <= key.length; at++) assert.ok(!printed.includes(key.slice(at, at + 6)), printed);
  }
}
