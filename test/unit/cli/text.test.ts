import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { byteText } from '../../../src/cli/byte-text.ts';
import { printable, type CliIo } from '../../../src/cli/cli-io.ts';
import { createProgress } from '../../../src/cli/progress.ts';

describe('texts for people', () => {
  it('give numbers of bytes with a unit', () => {
    const texts: readonly (readonly [number, string])[] = [
      [0, '0 bytes'],
      [1, '1 byte'],
      [1023, '1023 bytes'],
      [1024, '1.0 KiB'],
      [10_239, '10.0 KiB'],
      [10_240, '10 KiB'],
      [5 * 2 ** 30, '5.0 GiB'],
      [50 * 2 ** 40, '50 TiB'],
      [5000 * 2 ** 40, '5000 TiB'],
    ];
    for (const [bytes, text] of texts) assert.equal(byteText(bytes), text);
  });

  it('hold nothing that drives a terminal', () => {
    assert.equal(printable('key ü 😀 "x"'), 'key ü 😀 "x"');
    assert.equal(printable('a\x1b[31m\r\nb\x9bc\u202ed'), 'a\\u001b[31m\\u000d\\u000ab\\u009bc\\u202ed');
  });
});

function harness(quiet: boolean) {
  const lines: string[] = [];
  const clock = { ms: 0, now: () => clock.ms };
  const io: CliIo = { env: {}, cwd: '/', out: assert.fail, err: (text) => lines.push(text), errIsTerminal: false };
  return {
    lines,
    clock,
    progress: createProgress(io, { title: 'Decrypting', unit: 'bytes', total: 2_048, quiet, clock }),
  };
}

describe('progress without a terminal', () => {
  it('says how far it is every ten seconds, and what became of each item', () => {
    const { lines, clock, progress } = harness(false);
    progress.advance(512);
    clock.ms = 10_000;
    progress.advance(512);
    progress.advance(512);
    progress.done('decrypted a');
    progress.problem('failed b');
    progress.stop();
    assert.deepEqual(lines, ['Decrypting: 50 %, 1.0 KiB of 2.0 KiB\n', 'decrypted a\n', 'failed b\n']);
  });

  it('says nothing where the result says it', () => {
    const { lines, clock, progress } = harness(true);
    clock.ms = 60_000;
    progress.advance(512);
    progress.done('decrypted a');
    progress.problem('failed b');
    progress.stop();
    assert.deepEqual(lines, []);
  });
});
