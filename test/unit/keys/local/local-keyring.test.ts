import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect, promisify } from 'node:util';

import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';
import { DescriptionCache } from '../../../../src/keys/description-cache.ts';
import { DualReadWindow } from '../../../../src/keys/dual-read-window.ts';
import { LocalKeyring } from '../../../../src/keys/local/local-keyring.ts';
import { context, isZero, keyError, TestClock } from '../support.ts';
import { keyringText, temporaryDirectory, watchKeys, written, writeKeyring, type WrittenKey } from './support.ts';

const run = promisify(execFile);

async function setUp(t: TestContext, ...keys: readonly WrittenKey[]) {
  const file = join(await temporaryDirectory(t), 'keyring.json');
  if (keys.length > 0) await writeKeyring(file, keyringText(...keys));
  const clock = new TestClock();
  const open = () => LocalKeyring.open({ name: 'local', file, create: keys.length === 0, clock });
  return { file, clock, open, keyring: await open() };
}

async function keysIn(file: string): Promise<readonly WrittenKey[]> {
  const document: { readonly keys: readonly WrittenKey[] } = JSON.parse(await readFile(file, 'utf8'));
  return document.keys;
}

const secret = () => new SecretBytes(new Uint8Array(32).fill(0x5a));

test('the first start makes one random key, dated now', async (t) => {
  const { file, clock, keyring } = await setUp(t);
  const keys = await keysIn(file);
  assert.deepEqual(
    keys.map(({ version, created }) => [version, created]),
    [['1', new Date(clock.now()).toISOString()]],
  );
  assert.deepEqual(await keyring.describe(), { versions: ['1'] });
  const { file: other } = await setUp(t);
  assert.notEqual((await keysIn(other))[0]?.key, keys[0]?.key);
});

test('without create a missing keyring is not made', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  await assert.rejects(LocalKeyring.open({ name: 'local', file, create: false }), keyError('misconfigured'));
  assert.deepEqual(await readdir(directory), []);
});

test('a wrapped key is what docs/format/local-keyring.md says', async (t) => {
  const { keyring } = await setUp(t, written(1), written(4));
  using key = secret();
  const { version, ciphertext } = await keyring.wrap(key, { policy: 'tenant-ä', bucket: 'logs' });
  assert.equal(version, '4');
  assert.equal(ciphertext.length, 72);
  const derived = xaesKey(Buffer.from(written(4).key, 'base64'), ciphertext.subarray(0, 12));
  const decipher = createDecipheriv('aes-256-gcm', derived, ciphertext.subarray(12, 24));
  decipher.setAAD(Buffer.from('s3eg1 kek\u0000\u0009tenant-ä\u0000\u0004logs', 'utf8'));
  decipher.setAuthTag(ciphertext.subarray(56));
  const opened = Buffer.concat([decipher.update(ciphertext.subarray(24, 56)), decipher.final()]);
  assert.deepEqual(opened, Buffer.alloc(32, 0x5a));
});

test('a rotation adds a version, keeps the others, and is used at once', async (t) => {
  const { file, keyring, clock } = await setUp(t, written(1), written(7));
  using key = secret();
  const old = await keyring.wrap(key, context);
  clock.pass(86_400_000);
  // Looked at a moment ago: the rotation has to be seen all the same.
  await keyring.describe();
  assert.equal(await keyring.rotate(), '8');
  const keys = await keysIn(file);
  assert.deepEqual(keys.slice(0, 2), [written(1), written(7)]);
  assert.equal(keys[2]?.created, new Date(clock.now()).toISOString());
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await keyring.describe(), { versions: ['8', '7', '1'] });
  assert.equal((await keyring.wrap(key, context)).version, '8');
  using opened = await keyring.unwrap(old, context);
  assert.ok(opened.equals(key));
});

test('rotations from two processes at once lose no version and repeat none', { timeout: 60_000 }, async (t) => {
  const { file, open } = await setUp(t);
  const script = join(import.meta.dirname, 'rotate-many.ts');
  const outputs = await Promise.all(
    [1, 2].map(() => run(process.execPath, [script, file, '15'], { encoding: 'utf8' })),
  );
  const added = outputs.flatMap(({ stdout }): readonly string[] => JSON.parse(stdout));
  assert.equal(added.length, 30);
  assert.deepEqual(
    added.map(Number).toSorted((a, b) => a - b),
    Array.from({ length: 30 }, (_, index) => index + 2),
  );
  assert.equal((await keysIn(file)).length, 31);
  assert.deepEqual((await (await open()).describe()).versions[0], '31');
});

test(
  'a process that is killed in mid-rotation leaves the old keyring or the new one',
  { timeout: 60_000 },
  async (t) => {
    const { file } = await setUp(t);
    let before = 1;
    for (let round = 0; round < 3; round++) {
      const rotating = spawn(process.execPath, [join(import.meta.dirname, 'rotate-many.ts'), file, '900'], {
        stdio: 'ignore',
      });
      while ((await keysIn(file)).length < before + 3) await delay(1);
      rotating.kill('SIGKILL');
      await once(rotating, 'exit');
      const keys = await keysIn(file);
      assert.deepEqual(
        keys.map(({ version }) => version),
        keys.map((_, index) => String(index + 1)),
      );
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      before = keys.length;
      // As the message of the next rotation says.
      await rm(`${file}.lock`, { force: true });
    }
    assert.ok(before < 900);
  },
);

test('two processes that start at once use the same key', { timeout: 60_000 }, async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keyring.json');
  const script = join(import.meta.dirname, 'rotate-many.ts');
  await Promise.all([1, 2].map(() => run(process.execPath, [script, file, '0'])));
  assert.equal((await keysIn(file)).length, 1);
  assert.deepEqual(await readdir(directory), ['keyring.json']);
});

test('a version that another process added is found at once by who needs it, and within a second by all', async (t) => {
  const { clock, keyring, open } = await setUp(t);
  const other = await open();
  await other.rotate();
  using key = secret();
  const fresh = await other.wrap(key, context);
  clock.pass(999);
  assert.equal((await keyring.wrap(key, context)).version, '1');
  clock.pass(1);
  assert.equal((await keyring.wrap(key, context)).version, '2');
  const third = await open();
  await third.rotate();
  const newest = await third.wrap(key, context);
  for (const wrapped of [fresh, newest]) {
    using opened = await keyring.unwrap(wrapped, context);
    assert.ok(opened.equals(key));
  }
});

test('a version that another process added is described at once, and read through a dual-read window', async (t) => {
  const { clock, keyring, open } = await setUp(t);
  const window = new DualReadWindow(keyring, { readPrevious: 1, clock });
  using key = secret();
  using old = await window.unwrap(await keyring.wrap(key, context), context);
  const other = await open();
  for (const versions of [
    ['2', '1'],
    ['3', '2', '1'],
  ]) {
    await other.rotate();
    const fresh = await other.wrap(key, context);
    using opened = await window.unwrap(fresh, context);
    assert.ok(opened.equals(old));
    assert.deepEqual(await keyring.describe(), { versions });
  }
});

test('who keeps the versions in mind hears of a rotation within a second', async (t) => {
  const { clock, keyring, open } = await setUp(t);
  const kept = new DescriptionCache(keyring, { clock });
  assert.deepEqual((await kept.get()).versions, ['1']);
  await (await open()).rotate();
  clock.pass(999);
  assert.deepEqual((await kept.get()).versions, ['1']);
  clock.pass(1);
  assert.deepEqual((await kept.get()).versions, ['2', '1']);
});

test('a clock that was put back does not hide a rotation', async (t) => {
  const { clock, keyring, open } = await setUp(t);
  await (await open()).rotate();
  clock.pass(-3_600_000);
  assert.deepEqual(await keyring.describe(), { versions: ['2', '1'] });
});

test('keys that were replaced, refused or closed are zeroed', async (t) => {
  const { keys } = watchKeys(t);
  const { file, keyring } = await setUp(t, written(1));
  assert.deepEqual(keys.map(isZero), [false]);
  await writeKeyring(file, keyringText(written(1), written(2)));
  await keyring.health();
  assert.deepEqual(keys.map(isZero), [true, false, false]);
  await writeKeyring(file, keyringText(written(1), { ...written(3), version: '2' }));
  await keyring.health();
  assert.deepEqual(keys.map(isZero), [true, false, false, true, true]);
  await assert.rejects(keyring.rotate());
  assert.deepEqual(keys.slice(5).map(isZero), [true, true]);
  await keyring.close();
  assert.ok(keys.every(isZero));
});

/** What may go wrong with the file under a running gateway, and what health then says. */
const damages: Readonly<Record<string, readonly [(file: string) => Promise<void>, RegExp]>> = {
  'is gone': [(file) => rm(file), /cannot be read/],
  'is open to others': [(file) => chmod(file, 0o644), /is open to other users \(mode 0644\): chmod 600/],
  'is truncated': [
    (file) => writeKeyring(file, keyringText(written(1), written(2)).slice(0, -9)),
    /not valid JSON at line/,
  ],
  'is empty': [(file) => writeKeyring(file, ''), /not valid JSON at line 1/],
  'has another key for a version': [
    (file) => writeKeyring(file, keyringText(written(1), { ...written(3), version: '2' })),
    /the key of version 2 has changed; put the old one back and add a new version$/,
  ],
  'lacks the version in use': [
    (file) => writeKeyring(file, keyringText(written(1))),
    /version 2 is in use and has gone; put it back$/,
  ],
};

for (const [what, [damage, says]] of Object.entries(damages)) {
  test(`when the file ${what} under a running gateway, the keys read before serve on and health tells`, async (t) => {
    const { clock, file, keyring } = await setUp(t, written(1), written(2));
    using key = secret();
    const wrapped = await keyring.wrap(key, context);
    await damage(file);
    clock.pass(1000);
    assert.deepEqual(await keyring.describe(), { versions: ['2', '1'] });
    assert.equal((await keyring.wrap(key, context)).version, '2');
    using opened = await keyring.unwrap(wrapped, context);
    assert.ok(opened.equals(key));
    const { ok, reason = '' } = await keyring.health();
    assert.equal(ok, false);
    assert.match(reason, says);
    // Nothing is made or overwritten by a rotation that cannot know what was there.
    const before = await readFile(file, 'utf8').catch(() => 'gone');
    await assert.rejects(keyring.rotate(), keyError('misconfigured'));
    assert.equal(await readFile(file, 'utf8').catch(() => 'gone'), before);
    await writeKeyring(file, keyringText(written(1), written(2), written(3)));
    assert.deepEqual(await keyring.health(), { ok: true });
    assert.equal((await keyring.wrap(key, context)).version, '3');
  });
}

test('an old version may be taken out of the file, and what it wrapped is then not found', async (t) => {
  const { clock, file, keyring } = await setUp(t, written(1));
  using key = secret();
  const old = await keyring.wrap(key, context);
  await writeKeyring(file, keyringText(written(2)));
  clock.pass(1000);
  assert.deepEqual(await keyring.describe(), { versions: ['2'] });
  await assert.rejects(keyring.unwrap(old, context), keyError('not_found'));
  assert.deepEqual(await keyring.health(), { ok: true });
});

test('a version that is not found says so too when the file cannot be read again', async (t) => {
  const { file, keyring } = await setUp(t, written(1));
  using key = secret();
  const wrapped = await keyring.wrap(key, context);
  await chmod(file, 0o640);
  await assert.rejects(keyring.unwrap({ ...wrapped, version: '2' }, context), (error: unknown) => {
    assert.ok(keyError('not_found')(error) && error instanceof Error);
    // Clients are told this message: nothing of the machine is in it.
    assert.equal(error.message, 'key "local" has no version "2", but its keyring cannot be read again');
    assert.ok(error.cause instanceof Error);
    assert.match(error.cause.message, /is open to other users \(mode 0640\): chmod 600/);
    return true;
  });
});

test('closing while the file is read again zeroes what comes', async (t) => {
  const { clock, file, keyring } = await setUp(t, written(1));
  await writeKeyring(file, keyringText(written(1), written(2)));
  clock.pass(1000);
  const asked = keyring.describe();
  const rotated = keyring.rotate();
  await keyring.close();
  await assert.rejects(asked, keyError('unavailable'));
  await rotated.catch(() => {});
  await assert.rejects(keyring.describe(), keyError('unavailable'));
  await assert.rejects(keyring.rotate(), keyError('unavailable'));
  assert.match((await keyring.health()).reason ?? '', /is closed/);
});

test('it never shows a key, whatever is printed of it', async (t) => {
  const { file, keyring } = await setUp(t, written(1), written(2));
  using key = secret();
  const wrapped = await keyring.wrap(key, context);
  const errors = await Promise.all([
    keyring.unwrap({ ...wrapped, version: '9' }, context).catch((error: unknown) => error),
    keyring.unwrap({ ...wrapped, ciphertext: new Uint8Array(60) }, context).catch((error: unknown) => error),
    keyring.wrap(new SecretBytes(new Uint8Array(31).fill(0x5a)), context).catch((error: unknown) => error),
  ]);
  await writeKeyring(file, keyringText(written(1), written(2)).slice(0, -60));
  const printed = [
    ...errors.map((error) => inspect(error, { depth: 10, showHidden: true })),
    inspect(keyring, { depth: 10, showHidden: true }),
    JSON.stringify(keyring),
    JSON.stringify(await keyring.health()),
  ].join('\n');
  for (const { key: text } of [written(1), written(2), { key: Buffer.from(key.bytes).toString('base64') }]) {
    const bytes = Buffer.from(text, 'base64');
    for (const shown of [text.slice(0, 8), bytes.toString('hex', 0, 6), bytes.subarray(0, 6).join(', ')]) {
      assert.ok(!printed.includes(shown));
    }
  }
});

/** Kx as docs/format/local-keyring.md restates it, with numbers in place of bytes. */
function xaesKey(key: Buffer, nonce: Uint8Array): Buffer {
  const block = (value: bigint): Buffer => {
    // CBC from a vector of zeros is the cipher itself for one block.
    const cipher = createCipheriv('aes-256-cbc', key, Buffer.alloc(16)).setAutoPadding(false);
    return Buffer.concat([cipher.update(value.toString(16).padStart(32, '0'), 'hex'), cipher.final()]);
  };
  const whole = BigInt(`0x${block(0n).toString('hex')}`) << 1n;
  const subkey = whole >> 128n === 0n ? whole : (whole ^ 0x87n) & ((1n << 128n) - 1n);
  const counted = ['00015800', '00025800'].map((start) => BigInt(`0x${start}${Buffer.from(nonce).toString('hex')}`));
  return Buffer.concat(counted.map((message) => block(message ^ subkey)));
}
