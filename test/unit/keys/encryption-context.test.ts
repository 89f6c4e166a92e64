import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeContext } from '../../../src/keys/encryption-context.ts';
import { quoted } from '../../../src/keys/quoted.ts';
import { keyError } from './support.ts';

test('a context is its fields in UTF-8, each behind its length', () => {
  const bytes = Buffer.from(encodeContext({ policy: 'ä1', bucket: 'logs' }));
  assert.equal(bytes.toString('hex'), '0003c3a43100046c6f6773');
  assert.equal(Buffer.from(encodeContext({ policy: '', bucket: '' })).toString('hex'), '00000000');
});

test('no two contexts share their bytes', () => {
  const names = ['', 'a', 'b', 'ab', '\u0000', '\u0001a', 'a\u0000\u0001b', '\u0000\u0001'];
  const seen = new Set<string>();
  for (const policy of names) {
    for (const bucket of names) seen.add(Buffer.from(encodeContext({ policy, bucket })).toString('hex'));
  }
  assert.equal(seen.size, names.length ** 2);
});

test('a name that its length field cannot hold is refused', () => {
  const longest = 'ä'.repeat(32_767) + 'x';
  assert.equal(encodeContext({ policy: longest, bucket: '' }).length, 65_535 + 4);
  assert.throws(() => encodeContext({ policy: `${longest}x`, bucket: '' }), keyError('misconfigured'));
  assert.throws(() => encodeContext({ policy: '', bucket: `${longest}x` }), /bucket name has 65536 bytes/);
});

test('a name that came with an object is quoted, escaped and cut', () => {
  assert.equal(quoted('v1'), '"v1"');
  assert.equal(quoted('a"\n\u001b[31m'), String.raw`"a\"\n\u001b[31m"`);
  assert.equal(quoted('x'.repeat(128)), `"${'x'.repeat(128)}"`);
  assert.equal(quoted('x'.repeat(129)), `"${'x'.repeat(128)}…"`);
});
