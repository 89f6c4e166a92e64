/** What most of the skipped tests are skipped for on Bun is still missing there, and on no other runtime. */
import assert from 'node:assert/strict';
import { Console } from 'node:console';
import crypto, { getCiphers, randomFillSync } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';

import { isBun } from '../../../src/base/runtime.ts';

function replacesBuiltins(context: TestContext): boolean {
  const filled = context.mock.method(crypto, 'randomFillSync');
  syncBuiltinESMExports();
  randomFillSync(Buffer.alloc(1));
  filled.mock.restore();
  syncBuiltinESMExports();
  return filled.mock.callCount() === 1;
}

function writesTables(): boolean {
  const output = new PassThrough();
  try {
    new Console(output).table([{ nested: { deeper: [1] } }]);
    return true;
  } catch {
    return false;
  }
}

test('ChaCha20-Poly1305', () => {
  assert.equal(getCiphers().includes('chacha20-poly1305'), !isBun);
});

test('functions of node:crypto that are replaced', (context) => {
  assert.equal(replacesBuiltins(context), !isBun);
});

test('tables of a Console', () => {
  assert.equal(writesTables(), !isBun);
});
