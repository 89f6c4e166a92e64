import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { s3eg, s3egHere, temporaryFolder } from './support/cli-support.ts';
import { contentOf, fixtureBucket, fixtureKeys, StoredFixture } from './support/decrypt-fixture.ts';
import { headObjectJson, saveWithSidecar } from './support/stored-object.ts';

const envelope = {
  version: 1,
  suite: 'aes-256-gcm',
  segmentSizeBytes: 65_536,
  policy: 'default',
  kekName: 'local',
  kekVersion: '1',
};

describe('s3eg inspect', () => {
  let fixture: StoredFixture;
  let keyring: readonly string[] = [];

  before(async () => {
    fixture = await StoredFixture.make({ after });
    keyring = ['--keyring', fixture.keyring];
  });

  after(() => fixture[Symbol.asyncDispose]());

  it('shows what objects say of themselves without any key', async (context) => {
    const cwd = await temporaryFolder(context);
    await fixture.saveTree(cwd);
    const { code, stdout } = await s3eg(['inspect', '--json', ...fixtureKeys], { cwd });
    assert.equal(code, 0);
    const expected = fixtureKeys.map((key) => ({
      file: join(cwd, key),
      storedBytes: fixture.object(key).bytes.length,
      payloadBytes: contentOf(key).length,
      firstMessage: { suite: 'aes-256-gcm', segmentSizeBytes: 65_536 },
      envelope: { ...envelope, layout: key.includes('multi') ? 'multipart' : 'single' },
      problems: [],
    }));
    assert.deepEqual(JSON.parse(stdout), expected);
  });

  it('shows what metadata says, from a document, a value or standard input', async (context) => {
    const cwd = await temporaryFolder(context);
    const object = fixture.object('single.bin');
    await saveWithSidecar(join(cwd, 'object'), object);
    const value = object.headers['x-amz-meta-s3eg'] ?? '';
    const expected = { ...envelope, layout: 'single' };
    const asked = [
      await s3egHere(['inspect', '--json', 'object.metadata.json'], { cwd }),
      await s3egHere(['inspect', '--json', '--metadata', 'object.metadata.json'], { cwd }),
      await s3egHere(['inspect', '--json', '--metadata-value', value], { cwd }),
      await s3eg(['inspect', '--json', '--metadata', '-'], { cwd, input: JSON.stringify(headObjectJson(object)) }),
    ];
    for (const { code, stdout, stderr } of asked) {
      assert.equal(code, 0, stderr);
      assert.deepEqual(JSON.parse(stdout)[0].envelope, expected);
    }
    assert.equal(JSON.parse(asked[1]?.stdout ?? '')[0].payloadBytes, contentOf('single.bin').length);
  });

  it('shows parts and metadata with the key', async (context) => {
    const cwd = await temporaryFolder(context);
    await saveWithSidecar(join(cwd, 'object'), fixture.object('folder/multi.bin'));
    const args = ['inspect', 'object', '--bucket', fixtureBucket, '--key', 'folder/multi.bin', ...keyring];
    const { code, stdout } = await s3egHere([...args, '--json'], { cwd });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout)[0].sealed, {
      metadata: 'verified',
      plaintextBytes: 10_621_297,
      checksums: [],
      parts: [
        { partNumber: 1, plaintextBytes: 5_242_881, storedOffset: 0, storedBytes: 5_245_547 },
        { partNumber: 2, plaintextBytes: 5_308_415, storedOffset: 5_245_547, storedBytes: 5_311_081 },
        { partNumber: 3, plaintextBytes: 70_001, storedOffset: 10_556_628, storedBytes: 70_139 },
      ],
    });
    const text = await s3eg(args, { cwd });
    assert.match(text.stdout, /^key {11}local, version 1$/m);
    assert.match(text.stdout, /^metadata {6}as it was stored$/m);
    assert.match(text.stdout, /^2 +5308415 +5245547 +5311081$/m);
    assert.doesNotMatch(text.stdout, /Nothing of this is verified/);
  });

  it('shows no secret, wrapped or not', async (context) => {
    const cwd = await temporaryFolder(context);
    const object = fixture.object('single.bin');
    await saveWithSidecar(join(cwd, 'object'), object);
    const bytes = Buffer.from(object.headers['x-amz-meta-s3eg'] ?? '', 'base64url');
    const args = ['inspect', 'object', '--bucket', fixtureBucket, '--key', 'single.bin', ...keyring];
    const { keys } = JSON.parse(await readFile(fixture.keyring, 'utf8'));
    for (const more of [[], ['--json']]) {
      const { stdout } = await s3egHere([...args, ...more], { cwd });
      assert.ok(!stdout.includes(keys[0].key));
      for (const encoding of ['base64', 'base64url', 'hex'] as const) {
        // Salt, commitment and all wrapped keys lie in the envelope.
        for (let offset = 0; offset + 12 <= bytes.length; offset += 12) {
          assert.ok(!stdout.includes(bytes.toString(encoding, offset, offset + 12)));
        }
      }
    }
  });

  it('ends with 1 and says what is wrong', async (context) => {
    const cwd = await temporaryFolder(context);
    const object = fixture.object('single.bin');
    const problemOf = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await s3egHere(['inspect', '--json', 'object', ...args], { cwd });
      assert.equal(code, 1, stderr);
      const [{ problems }] = JSON.parse(stdout);
      assert.equal(problems.length, 1);
      return problems[0];
    };
    await saveWithSidecar(join(cwd, 'object'), { ...object, bytes: object.bytes.subarray(0, -100_000) });
    const cut = /^the stored object has another length than was sealed$/;
    assert.match(await problemOf(...place('single.bin'), ...keyring), cut);
    const endless = Buffer.concat([object.bytes.subarray(0, -4), Buffer.from('none')]);
    await saveWithSidecar(join(cwd, 'object'), { ...object, bytes: endless });
    assert.match(await problemOf(...place('single.bin'), ...keyring), /^the object does not end in an index$/);
    await saveWithSidecar(join(cwd, 'object'), object);
    assert.match(await problemOf(...place('other'), ...keyring), /Were these its bucket and key/);
    const relabelled = { ...object.headers, 'x-amz-meta-s3eg-key': 'local:9' };
    await saveWithSidecar(join(cwd, 'object'), { ...object, headers: relabelled });
    assert.match(await problemOf(), /s3eg-key says local:9, but the envelope, which decides, local:1/);
    await saveWithSidecar(join(cwd, 'object'), { ...object, headers: { ...object.headers, 'x-amz-meta-colour': 'x' } });
    assert.match(
      await problemOf(...place('single.bin'), ...keyring),
      /user metadata or Content-Type is not what was stored/,
    );
    await writeFile(join(cwd, 'object'), 'plain text');
    assert.match(await problemOf('--metadata', 'object.metadata.json'), /no object of format 1 has 10 bytes/);
    await writeFile(join(cwd, 'object.metadata.json'), '{');
    await writeFile(join(cwd, 'object'), object.bytes);
    assert.match(await problemOf(), /object\.metadata\.json: it is not valid JSON/);
  });

  it('ends with 2 when it is called wrongly, and with 3 where there is no file', async (context) => {
    const cwd = await temporaryFolder(context);
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /give the file of an object/],
      [['a', 'b', '--metadata', 'm'], /metadata is that of one object/],
      [['a', '--bucket', 'b'], /--bucket and --key go together/],
      [['a', 'b', '--bucket', 'b', '--key', 'k'], /--key is that of one object/],
      [['a', ...keyring], /--keyring opens nothing/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await s3egHere(['inspect', ...args], { cwd });
      assert.match(stderr, message);
      assert.equal(code, 2);
    }
    assert.equal((await s3egHere(['inspect', 'missing'], { cwd })).code, 3);
  });
});

function place(key: string): readonly string[] {
  return ['--bucket', fixtureBucket, '--key', key];
}
