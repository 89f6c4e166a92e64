import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { createLogger } from '../../../src/telemetry/logger.ts';
import { LineBatch } from '../../../src/telemetry/line-batch.ts';

const logger = join(import.meta.dirname, '../../../src/telemetry/logger.ts');

/** Standard output of a process that logs `count` lines, then runs `rest`. */
function outputOf(count: number, rest: string): readonly string[] {
  const script = `
    import { createLogger } from ${JSON.stringify(logger)};
    const logger = createLogger('info');
    for (let index = 0; index < ${count}; index += 1) logger.info('line ' + index);
    ${rest}`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).message);
}

const linesTo = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `line ${index}`);

describe('LineBatch', () => {
  it('gives lines on together, in order, after a moment', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const written: string[] = [];
    const batch = new LineBatch({ write: (text) => written.push(text), writeLast() {} });
    batch.write('a\n');
    context.mock.timers.tick(49);
    batch.write('b\n');
    assert.deepEqual(written, []);
    context.mock.timers.tick(1);
    assert.deepEqual(written, ['a\nb\n']);
    context.mock.timers.tick(1000);
    batch.write('c\n');
    batch.flush();
    batch.flush();
    context.mock.timers.tick(1000);
    assert.deepEqual(written, ['a\nb\n', 'c\n']);
  });

  it('gives a full batch on at once', () => {
    const written: string[] = [];
    const batch = new LineBatch({ write: (text) => written.push(text), writeLast() {} });
    const line = `${'x'.repeat(999)}\n`;
    for (let count = 0; count < 20; count += 1) batch.write(line);
    assert.deepEqual(
      written.map(({ length }) => length),
      [17_000],
    );
  });

  it('writes whole lines in pieces that no other process can get into, where others write to the same place', () => {
    const written: string[] = [];
    const batch = new LineBatch({ write: (text) => written.push(text), writeLast() {} }, { isShared: true });
    const lines = Array.from({ length: 60 }, (_, index) => `${index} ${'ü'.repeat(index * 20)}\n`);
    for (const line of lines) batch.write(line);
    batch.flush();
    assert.equal(written.join(''), lines.join(''));
    assert.ok(written.every((piece) => piece.endsWith('\n') && Buffer.byteLength(piece) <= 4096));
    assert.ok(written.length < lines.length / 2, `${written.length} pieces`);
  });

  it('loses no line that waits where the process ends by itself, by exit or by an error', () => {
    assert.deepEqual(outputOf(2000, ''), linesTo(2000));
    assert.deepEqual(outputOf(20, 'process.exit(3);'), linesTo(20));
    assert.deepEqual(outputOf(20, "throw new Error('unforeseen');"), linesTo(20));
  });

  it('is given on at once by a logger that warns', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    for (const level of ['warn', 'error'] as const) {
      const written: string[] = [];
      const log = createLogger('info', new LineBatch({ write: (text) => written.push(text), writeLast() {} }));
      log.info('first');
      assert.deepEqual(written, []);
      log[level]('second');
      assert.match(written.join(), /"first".*\n.*"second"/);
    }
  });
});
