import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runtimeProgram } from '../support/runtimes.ts';
import { finish, launcher, start, startGateway, temporaryFolder } from './support/cli-support.ts';
import { filesBelow } from './support/decrypt-fixture.ts';
import { fetchStored, saveWithSidecar } from './support/stored-object.ts';

/** Large enough that a signal finds the command at work. */
const largeBytes = 192 * 1024 * 1024;
const stoppedText = (signal: string): string =>
  `Decrypted 0 objects (0 bytes).\nStopped by ${signal}: the rest was not decrypted.\n`;

/** A shell command in a terminal of 80 columns, by `script` of util-linux; what it prints is on stdout. */
function onTerminal(command: string, cwd: string) {
  return start(['script', '-qec', `stty cols 80; ${command}`, '/dev/null'], { cwd, env: { TERM: 'xterm', CI: '' } });
}

describe('s3eg decrypt, stopped', () => {
  let folder = '';
  let command: readonly [string, ...string[]] = [''];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 's3eg-stop-'));
    const { client, stop } = await startGateway({ after }, folder);
    await client.createBucket('large');
    await client.put('large', 'large.bin', Buffer.alloc(largeBytes, 7));
    assert.equal(await stop(), 0);
    const large = (await fetchStored(folder, 'large', ['large.bin'])).get('large.bin');
    assert.ok(large !== undefined);
    const object = join(folder, 'object');
    await saveWithSidecar(object, large);
    const keyring = join(folder, 'data', 'keyring.json');
    const place = ['--bucket', 'large', '--key', 'large.bin'];
    command = [runtimeProgram(), launcher, 'decrypt', object, ...place, '--keyring', keyring, '--output', 'out/plain'];
  });

  after(() => rm(folder, { recursive: true, force: true }));

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`leaves nothing behind at ${signal}`, async (context) => {
      const cwd = await temporaryFolder(context);
      await mkdir(join(cwd, 'out'));
      const watcher = watch(join(cwd, 'out'));
      // The first that appears is the file that is being written.
      const written = once(watcher, 'change');
      const child = start(command, { cwd });
      const ended = finish(child);
      await Promise.race([written, ended]);
      watcher.close();
      child.kill(signal);
      const result = await ended;
      assert.deepEqual([result.code, result.signal], [code, null], result.stderr);
      assert.equal(result.stdout, stoppedText(signal));
      assert.deepEqual(await filesBelow(cwd), []);
    });
  }

  const script = spawnSync('script', ['--version'], { encoding: 'utf8' });
  const hasScript = script.error === undefined && script.stdout.includes('util-linux');
  const skip = hasScript ? false : 'there is no script of util-linux to make a terminal with';

  it('draws a bar on a terminal, and leaves it clean', { skip }, async (context) => {
    const cwd = await temporaryFolder(context);
    await mkdir(join(cwd, 'out'));
    const { code, stdout } = await finish(onTerminal(command.join(' '), cwd));
    assert.equal(code, 0, stdout);
    assert.match(stdout, /█.* Decrypting: \d+ %, \d+ MiB of 192 MiB/);
    assert.ok(stdout.lastIndexOf('\u001b[?25h') > stdout.lastIndexOf('\u001b[?25l'), 'the cursor is hidden');
    assert.match(stdout, /Decrypted 1 object \(192 MiB\)\.\r\n$/);
  });

  it('stops cleanly at Ctrl-C on a terminal', { skip }, async (context) => {
    const cwd = await temporaryFolder(context);
    await mkdir(join(cwd, 'out'));
    const child = onTerminal(command.join(' '), cwd);
    const watcher = watch(join(cwd, 'out'));
    once(watcher, 'change').then(
      () => child.stdin.write('\u0003'),
      () => {},
    );
    child.stdin.on('error', () => {});
    const texts: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => texts.push(text));
    await once(child, 'close');
    watcher.close();
    const text = texts.join('');
    assert.equal(child.exitCode, 130, text);
    assert.ok(text.replaceAll('\r', '').endsWith(stoppedText('SIGINT')), text);
    assert.deepEqual(await filesBelow(cwd), []);
  });

  it('leaves the standard input of a shell loop alone', { skip }, async (context) => {
    const cwd = await temporaryFolder(context);
    await mkdir(join(cwd, 'out'));
    const missing = command.join(' ').replace('large.bin', 'other.bin');
    const loop = `printf 'a\\nb\\nc\\n' | while read -r line; do ${missing}; echo "line $line"; done`;
    const { stdout } = await finish(onTerminal(loop, cwd));
    assert.deepEqual(
      [...stdout.matchAll(/line (\w)/g)].map(([, line]) => line),
      ['a', 'b', 'c'],
    );
  });
});
