import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { KeyError } from '../../../../src/keys/key-provider.ts';
import {
  changeKeyring,
  createKeyring,
  keyringSignature,
  readKeyring,
} from '../../../../src/keys/local/keyring-file.ts';
import { keyError } from '../support.ts';
import { keyringText, temporaryDirectory, written, writeKeyring } from './support.ts';

const text = keyringText(written(1), written(2));

async function refusal(promise: Promise<unknown>): Promise<KeyError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof KeyError && error.code === 'misconfigured', String(error));
    return error;
  }
  return assert.fail('was accepted');
}

test('a keyring that others may touch in any way is refused, with the command that helps', async (t) => {
  const file = join(await temporaryDirectory(t), 'keyring.json');
  await writeKeyring(file, text);
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o777]) {
    await chmod(file, mode);
    const { message } = await refusal(readKeyring(file));
    const shown = mode.toString(8).padStart(4, '0');
    assert.equal(message, `keyring ${file} is open to other users (mode ${shown}): chmod 600 ${file}`);
  }
  for (const mode of [0o600, 0o400, 0o700]) {
    await chmod(file, mode);
    assert.equal((await readKeyring(file)).entries.length, 2);
  }
});

test('what is not a keyring file is refused as what it is', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  assert.equal((await refusal(readKeyring(file))).message, `keyring ${file} does not exist (ENOENT)`);
  await mkdir(file);
  assert.match(
    (await refusal(readKeyring(file))).message,
    /^keyring .+ (is not a regular file|cannot be read \(EISDIR\))$/,
  );
  const notDirectory = join(directory, 'plain', 'keyring.json');
  await writeFile(dirname(notDirectory), '');
  assert.equal((await refusal(readKeyring(notDirectory))).message, `keyring ${notDirectory} cannot be read (ENOTDIR)`);
  const large = join(directory, 'large.json');
  await writeKeyring(large, '{}');
  await truncate(large, 1_048_577);
  assert.equal((await refusal(readKeyring(large))).message, `keyring ${large} is larger than 1048576 bytes`);
  await truncate(large, 1_048_576);
  assert.match((await refusal(readKeyring(large))).message, /is not valid JSON/);
});

test('a pipe in the place of the file does not hang the start', { skip: process.platform === 'win32' }, async (t) => {
  const file = join(await temporaryDirectory(t), 'keyring.json');
  assert.equal(spawnSync('mkfifo', ['-m', '600', file]).status, 0);
  assert.match((await refusal(readKeyring(file))).message, /is not a regular file$/);
});

test('a keyring is made with mode 0600 in a directory of mode 0700, and nothing else is left', async (t) => {
  const directory = join(await temporaryDirectory(t), 'data', 'keys');
  const file = join(directory, 'keyring.json');
  await createKeyring(file, () => text);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(directory), ['keyring.json']);
  assert.equal((await stat(file)).nlink, 1);
  assert.equal(await readFile(file, 'utf8'), text);
});

test('a keyring that is there stays as it is', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  await writeKeyring(file, 'mine', 0o644);
  await createKeyring(file, () => assert.fail('asked for a content'));
  assert.equal(await readFile(file, 'utf8'), 'mine');
  // A link to nowhere is a mistake to be told, not a place to write keys to.
  const linked = join(directory, 'linked.json');
  await symlink(join(directory, 'elsewhere.json'), linked);
  await createKeyring(linked, () => assert.fail('asked for a content'));
  assert.match((await refusal(readKeyring(linked))).message, /does not exist/);
  assert.deepEqual((await readdir(directory)).toSorted(), ['keyring.json', 'linked.json']);
});

test('of many who make it at once one wins; who looks meanwhile sees nothing or the whole', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  const texts = Array.from({ length: 12 }, (_, index) => keyringText(written(index + 1)));
  const made = new AbortController();
  const looked = new Set<string>();
  const watcher = (async () => {
    while (!made.signal.aborted) {
      looked.add(await readFile(file, 'utf8').catch(() => 'nothing'));
      await delay(0);
    }
  })();
  await Promise.all(texts.map((content) => createKeyring(file, () => content)));
  made.abort();
  await watcher;
  const winner = await readFile(file, 'utf8');
  assert.ok(texts.includes(winner));
  looked.delete('nothing');
  looked.delete(winner);
  assert.equal(looked.size, 0);
  assert.deepEqual(await readdir(directory), ['keyring.json']);
});

test('where it cannot be made, that is said, and nothing is left', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'plain'), '');
  const file = join(directory, 'plain', 'keyring.json');
  const { message } = await refusal(createKeyring(file, () => text));
  assert.match(message, /^keyring .+ cannot be made \((ENOTDIR|EEXIST)\)$/);
  const failing = join(directory, 'keyring.json');
  await refusal(
    createKeyring(failing, () => {
      throw new Error('no randomness');
    }),
  );
  assert.deepEqual(await readdir(directory), ['plain']);
});

test('a change replaces the file whole, with the same mode, and disposes the keys', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  await writeKeyring(file, text, 0o400);
  const before = await stat(file);
  const memory: Uint8Array[] = [];
  const next = keyringText(written(1), written(2), written(3));
  const result = await changeKeyring(file, (entries) => {
    memory.push(...entries.map(({ key }) => key.bytes));
    return { content: next, result: 'done' };
  });
  assert.equal(result, 'done');
  assert.equal(memory.length, 2);
  assert.ok(memory.every((bytes) => bytes.every((byte) => byte === 0)));
  const after = await stat(file);
  assert.notEqual(after.ino, before.ino);
  assert.equal(after.mode & 0o777, 0o600);
  assert.equal(await readFile(file, 'utf8'), next);
  assert.deepEqual(await readdir(directory), ['keyring.json']);
});

test('a change that fails leaves the file as it was, and no lock', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  await writeKeyring(file, text);
  const failure = new KeyError('misconfigured', 'no');
  await assert.rejects(
    changeKeyring(file, () => {
      throw failure;
    }),
    (error) => error === failure,
  );
  assert.equal(await readFile(file, 'utf8'), text);
  assert.deepEqual(await readdir(directory), ['keyring.json']);
  await refusal(changeKeyring(join(directory, 'none.json'), () => assert.fail('changed')));
  await writeKeyring(file, 'not a keyring');
  await refusal(changeKeyring(file, () => assert.fail('changed')));
  assert.deepEqual(await readdir(directory), ['keyring.json']);
});

test('a change that cannot be put in place leaves no file with keys behind', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  await writeKeyring(file, text);
  const { message } = await refusal(
    changeKeyring(file, () => {
      rmSync(file);
      mkdirSync(file);
      return { content: text, result: undefined };
    }),
  );
  assert.match(message, /^keyring .+ cannot be changed \(\w+\)$/);
  assert.deepEqual(await readdir(directory), ['keyring.json']);
});

test('a link to the keyring stays a link when the keyring is changed', async (t) => {
  const directory = await temporaryDirectory(t);
  const target = join(directory, 'secret.json');
  const file = join(directory, 'keyring.json');
  await writeKeyring(target, text);
  await symlink('secret.json', file);
  const next = keyringText(written(1), written(2), written(3));
  await changeKeyring(file, () => ({ content: next, result: undefined }));
  assert.equal(await readFile(target, 'utf8'), next);
  assert.deepEqual(
    (await readdir(directory, { withFileTypes: true }))
      .map((entry) => [entry.name, entry.isSymbolicLink()] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    [
      ['keyring.json', true],
      ['secret.json', false],
    ],
  );
});

test('a change waits for the one before it, and says which lock stays in its way', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  const lock = `${file}.lock`;
  await writeKeyring(file, text);
  await writeFile(lock, '');
  const change = () => ({ content: text, result: 'changed' });
  await assert.rejects(changeKeyring(file, change, { lockTimeoutMs: 120 }), (error: unknown) => {
    assert.ok(keyError('unavailable')(error) && error instanceof Error);
    assert.equal(error.message, `another process is changing the keyring; if none is, remove ${lock}`);
    return true;
  });
  assert.deepEqual(
    (await readdir(directory)).toSorted(),
    ['keyring.json', 'keyring.json.lock'],
    'a lock of others is not taken away',
  );
  const waiting = changeKeyring(file, change, { lockTimeoutMs: 30_000 });
  await delay(80);
  await rename(lock, join(directory, 'gone'));
  assert.equal(await waiting, 'changed');
});

test('the signature tells contents apart without reading them', async (t) => {
  const file = join(await temporaryDirectory(t), 'keyring.json');
  await writeKeyring(file, text);
  const { signature } = await readKeyring(file);
  const now = async () => keyringSignature(await stat(file, { bigint: true }));
  assert.equal(await now(), signature);
  // The same size, inode and modification time: the change time still differs, by the ticks of the file system at least.
  await delay(20);
  const { atime, mtime } = await stat(file);
  await writeFile(file, text.replace(written(1).key, written(3).key));
  await utimes(file, atime, mtime);
  assert.notEqual(await now(), signature);
});
