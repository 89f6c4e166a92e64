import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { s3eg, s3egHere, temporaryFolder } from './support/cli-support.ts';
import { contentOf, filesBelow, fixtureBucket, StoredFixture, summaryOf } from './support/decrypt-fixture.ts';
import { headObjectJson, saveWithSidecar } from './support/stored-object.ts';

const mebibyte = 1024 * 1024;

describe('s3eg decrypt of a file', () => {
  let fixture: StoredFixture;
  let keyring: readonly string[] = [];

  before(async () => {
    fixture = await StoredFixture.make({ after });
    keyring = ['--keyring', fixture.keyring];
  });

  after(() => fixture[Symbol.asyncDispose]());

  /** `decrypt` of the file `object`, stored under `key`, into `plain`. */
  function decrypt(cwd: string, key: string, ...more: readonly string[]) {
    const args = ['decrypt', 'object', '--bucket', fixtureBucket, '--key', key, '--output', 'plain', '--json'];
    return s3egHere([...args, ...keyring, ...more], { cwd });
  }

  it('gives the bytes of every object back', async (context) => {
    const args = ['--output', 'plain', '--force', '--json', ...keyring];
    const work = await temporaryFolder(context);
    for (const [key, object] of fixture.objects) {
      await saveWithSidecar(join(work, 'object'), object);
      const command = ['decrypt', 'object', '--bucket', fixtureBucket, '--key', key, ...args];
      const { code, stdout, stderr } = await s3eg(command, { cwd: work });
      assert.equal(code, 0, stderr);
      assert.ok((await readFile(join(work, 'plain'))).equals(contentOf(key)), key);
      assert.deepEqual(JSON.parse(stdout), {
        ok: true,
        decrypted: 1,
        plaintextBytes: contentOf(key).length,
        skipped: 0,
        metadataNotChecked: 0,
        metadataDiffers: 0,
        failures: [],
      });
    }
    assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json', 'plain']);
  });

  it('says in words what it did where no JSON is wanted', async (context) => {
    const work = await temporaryFolder(context);
    await saveWithSidecar(join(work, 'object'), fixture.object('single.bin'));
    const command = [
      'decrypt',
      'object',
      '--bucket',
      fixtureBucket,
      '--key',
      'single.bin',
      '--output',
      'plain',
      ...keyring,
    ];
    const first = await s3eg(command, { cwd: work });
    assert.deepEqual([first.code, first.stdout], [0, 'Decrypted 1 object (195 KiB).\n']);
    assert.equal(first.stderr, 'decrypted  single.bin (195 KiB)\n');
    const second = await s3eg(command, { cwd: work });
    assert.deepEqual([second.code, second.stdout], [1, 'Decrypted 0 objects (0 bytes), 1 failed.\n']);
    assert.match(second.stderr, /^failed {5}single\.bin: .*plain is there already: --force replaces it\n$/);
  });

  it('takes the keys of a configuration', async (context) => {
    const work = await temporaryFolder(context);
    await saveWithSidecar(join(work, 'object'), fixture.object('single.bin'));
    await writeFile(
      join(work, 'gateway.yaml'),
      `keys: { local: { type: local, file: ${JSON.stringify(fixture.keyring)} } }\n`,
    );
    const args = ['decrypt', 'object', '--bucket', fixtureBucket, '--key', 'single.bin', '--output', 'plain'];
    const result = await s3eg([...args, '--config', 'gateway.yaml'], { cwd: work });
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(join(work, 'plain'))).equals(contentOf('single.bin')));
    assert.deepEqual(await filesBelow(work), ['gateway.yaml', 'object', 'object.metadata.json', 'plain']);
  });

  it('takes metadata in the form of every tool, and says what it could not check', async (context) => {
    const work = await temporaryFolder(context);
    const object = fixture.object('folder/multi.bin');
    const { Metadata: userMetadata, ...system } = headObjectJson(object);
    const envelope = object.headers['x-amz-meta-s3eg'] ?? '';
    const lines = Object.entries(object.headers).map(([name, value]) => `${name}: ${value}`);
    const forms: readonly (readonly [string, unknown, number])[] = [
      ['aws s3api', { ...system, Metadata: userMetadata }, 0],
      [
        'rclone',
        [
          {
            Path: 'multi.bin',
            Name: 'multi.bin',
            ModTime: '2026-01-01T00:00:00Z',
            IsDir: false,
            Metadata: {
              ...userMetadata,
              'content-type': 'text/x-test',
              btime: '2026-01-01T00:00:00Z',
              tier: 'STANDARD',
            },
          },
        ],
        0,
      ],
      ['a map of header fields', object.headers, 0],
      ['a map of user metadata', { ...userMetadata, 'content-type': 'text/x-test' }, 0],
      ['a map of user metadata alone', userMetadata, 1],
      ['header lines', `HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\n`, 0],
      ['the envelope alone', { 'x-amz-meta-s3eg': envelope }, 1],
    ];
    await writeFile(join(work, 'object'), object.bytes);
    for (const [tool, document, notChecked] of forms) {
      await writeFile(join(work, 'metadata'), typeof document === 'string' ? document : JSON.stringify(document));
      const result = await decrypt(work, 'folder/multi.bin', '--metadata', 'metadata', '--force');
      assert.equal(result.code, 0, `${tool}: ${result.stdout}${result.stderr}`);
      assert.equal(summaryOf(result.stdout).metadataNotChecked, notChecked, tool);
    }
    const inline = await decrypt(work, 'folder/multi.bin', '--metadata-value', envelope, '--force');
    assert.deepEqual([inline.code, summaryOf(inline.stdout).metadataNotChecked], [0, 1]);
    const piped = await s3eg(
      [
        'decrypt',
        'object',
        '--bucket',
        fixtureBucket,
        '--key',
        'folder/multi.bin',
        '--output',
        'piped',
        '--metadata',
        '-',
        ...keyring,
      ],
      { cwd: work, input: JSON.stringify(headObjectJson(object)) },
    );
    assert.equal(piped.code, 0, piped.stderr);
    assert.ok((await readFile(join(work, 'piped'))).equals(contentOf('folder/multi.bin')));
  });

  it('refuses an object of which a byte was changed, wherever it is', async (context) => {
    const work = await temporaryFolder(context);
    for (const key of ['single.bin', 'folder/multi.bin', 'empty']) {
      const object = fixture.object(key);
      // Header, first segment, somewhere, padding or index, trailer.
      const places = [0, 50, 80, randomInt(object.bytes.length), object.bytes.length - 20, object.bytes.length - 1];
      context.diagnostic(`${key}: bytes ${places.join(', ')}`);
      for (const place of places) {
        const bytes = Buffer.from(object.bytes);
        bytes.writeUInt8(bytes.readUInt8(place) ^ 0x10, place);
        await saveWithSidecar(join(work, 'object'), { ...object, bytes });
        const result = await decrypt(work, key);
        assert.equal(result.code, 1, `${key} byte ${place}`);
        assert.equal(summaryOf(result.stdout).failures.length, 1);
        assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json'], `${key} byte ${place}`);
      }
    }
  });

  it('ends with 1 and no file where the command meets a changed byte', async (context) => {
    const work = await temporaryFolder(context);
    const object = fixture.object('folder/multi.bin');
    const bytes = Buffer.from(object.bytes);
    bytes.writeUInt8(bytes.readUInt8(6 * mebibyte) ^ 1, 6 * mebibyte);
    await saveWithSidecar(join(work, 'object'), { ...object, bytes });
    const args = ['decrypt', 'object', '--bucket', fixtureBucket, '--key', 'folder/multi.bin', '--output', 'plain'];
    const result = await s3eg([...args, ...keyring], { cwd: work });
    assert.deepEqual([result.code, result.stdout], [1, 'Decrypted 0 objects (0 bytes), 1 failed.\n']);
    assert.equal(result.stderr, 'failed     folder/multi.bin: stored bytes failed authentication\n');
    assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json']);
  });

  it('refuses an object that was cut, made longer or swapped', async (context) => {
    const work = await temporaryFolder(context);
    const object = fixture.object('folder/multi.bin');
    const broken: Readonly<Record<string, Buffer>> = {
      cut: object.bytes.subarray(0, -1),
      'cut at a segment': object.bytes.subarray(0, 74 + 65_568),
      longer: Buffer.concat([object.bytes, Buffer.alloc(1)]),
      nothing: Buffer.alloc(0),
      'another object': fixture.object('single.bin').bytes,
      plaintext: contentOf('folder/multi.bin'),
    };
    for (const [name, bytes] of Object.entries(broken)) {
      await writeFile(join(work, 'object'), bytes);
      await writeFile(join(work, 'object.metadata.json'), JSON.stringify(headObjectJson(object)));
      const result = await decrypt(work, 'folder/multi.bin');
      assert.equal(result.code, 1, name);
      assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json'], name);
    }
  });

  it('refuses metadata that is not what was stored, unless told to go on', async (context) => {
    const work = await temporaryFolder(context);
    const object = fixture.object('single.bin');
    await saveWithSidecar(join(work, 'object'), {
      ...object,
      headers: { ...object.headers, 'x-amz-meta-colour': 'green' },
    });
    const refused = await decrypt(work, 'single.bin');
    assert.equal(refused.code, 1);
    assert.deepEqual(
      summaryOf(refused.stdout).failures.map(({ code }) => code),
      ['authentication_failed'],
    );
    assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json']);
    const ignored = await decrypt(work, 'single.bin', '--ignore-metadata');
    assert.deepEqual([ignored.code, summaryOf(ignored.stdout).metadataDiffers], [0, 1]);
    assert.ok((await readFile(join(work, 'plain'))).equals(contentOf('single.bin')));
  });

  it('refuses another bucket or key than the object was stored under', async (context) => {
    const work = await temporaryFolder(context);
    await saveWithSidecar(join(work, 'object'), fixture.object('single.bin'));
    for (const place of [
      ['--key', 'other.bin', '--bucket', fixtureBucket],
      ['--key', 'single.bin', '--bucket', 'other'],
    ]) {
      const result = await s3egHere(['decrypt', 'object', '--output', 'plain', '--json', ...place, ...keyring], {
        cwd: work,
      });
      assert.equal(result.code, 1);
      const [failure] = summaryOf(result.stdout).failures;
      assert.equal(failure?.code, 'wrong_key');
      assert.match(failure.message, /Were these its bucket and key, and is this its keyring\?$/);
      assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json']);
    }
  });

  it('tells a wrong keyring, a missing one and one that others can read apart', async (context) => {
    const work = await temporaryFolder(context);
    await saveWithSidecar(join(work, 'object'), fixture.object('single.bin'));
    const args = ['decrypt', 'object', '--bucket', fixtureBucket, '--key', 'single.bin', '--output', 'plain', '--json'];
    const entry = { version: '1', key: randomBytes(32).toString('base64'), created: '2026-01-01T00:00:00.000Z' };
    const other = join(work, 'other.json');
    const write = (entries: unknown): Promise<void> =>
      writeFile(other, JSON.stringify({ version: 1, keys: entries }), { mode: 0o600 });
    await write([entry]);
    const wrong = await s3eg([...args, '--keyring', 'other.json'], { cwd: work });
    assert.deepEqual([wrong.code, summaryOf(wrong.stdout).failures[0]?.code], [1, 'wrong_key']);
    await write([{ ...entry, version: '7' }]);
    const unknown = await s3egHere([...args, '--keyring', 'other.json'], { cwd: work });
    assert.deepEqual([unknown.code, summaryOf(unknown.stdout).failures[0]?.code], [1, 'not_found']);
    const misnamed = await s3egHere([...args, '--keyring', `remote=${fixture.keyring}`], {
      cwd: work,
    });
    assert.deepEqual([misnamed.code, summaryOf(misnamed.stdout).failures[0]?.code], [1, 'not_found']);
    assert.match(summaryOf(misnamed.stdout).failures[0]?.message ?? '', /--keyring local=FILE$/);
    const named = await s3egHere([...args, '--keyring', `local=${fixture.keyring}`], {
      cwd: work,
    });
    assert.equal(named.code, 0, named.stderr);
    await rm(join(work, 'plain'));
    await chmod(other, 0o644);
    const open = await s3egHere([...args, '--keyring', 'other.json'], { cwd: work });
    assert.deepEqual([open.code, open.stdout], [3, '']);
    assert.match(open.stderr, /open to other users \(mode 0644\)/);
    const missing = await s3egHere([...args, '--keyring', 'missing.json'], { cwd: work });
    assert.equal(missing.code, 3);
    assert.match(missing.stderr, /missing\.json does not exist/);
    for (const { stdout, stderr } of [wrong, unknown, misnamed, open])
      assert.ok(!`${stdout}${stderr}`.includes(entry.key));
    assert.deepEqual(await filesBelow(work), ['object', 'object.metadata.json', 'other.json']);
  });

  it('ends with 2 and says why when it is called wrongly', async (context) => {
    const work = await temporaryFolder(context);
    await saveWithSidecar(join(work, 'object'), fixture.object('single.bin'));
    await writeFile(join(work, 'alone'), 'x');
    await mkdir(join(work, 'tree'));
    await writeFile(join(work, 'tree', 'a'), 'x');
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['object', '--key', 'k', '--output', 'o'], /--bucket/],
      [['object', '--bucket', 'b', '--key', 'k'], /--output/],
      [['object', '--bucket', 'b', '--output', 'o'], /a file needs --key/],
      [['object', '--bucket', 'b', '--key', 'k', '--output', 'o', '--prefix', 'p/'], /--prefix is for directories/],
      [['object', '--bucket', 'b', '--kye', 'k', '--output', 'o'], /Did you mean --key\?/],
      [['alone', '--bucket', 'b', '--key', 'k', '--output', 'o'], /where is the metadata\?/],
      [
        ['object', '--bucket', 'b', '--key', 'k', '--output', 'o', '--metadata', 'm', '--metadata-value', 'v'],
        /cannot be used with/,
      ],
      [
        ['object', '--bucket', 'b', '--key', 'k', '--output', 'o', '--config', 'c', '--keyring', 'k'],
        /cannot be used with/,
      ],
      [
        ['object', '--bucket', 'b', '--key', 'k', '--output', 'o', '--keyring', 'k', '--keyring', 'l'],
        /two keyrings are for the same keys/,
      ],
      [['tree', '--bucket', 'b', '--key', 'k', '--output', 'o'], /--key is for a file/],
      [['tree', '--bucket', 'b', '--prefix', 'p', '--output', 'o'], /--prefix must end in "\/"/],
      [['tree', '--bucket', 'b', '--output', 'tree/out'], /--output must lie outside/],
      [['tree', '--bucket', 'b', '--output', '.'], /--output must lie outside/],
      [['--bucket', 'b', '--key', 'k', '--output', 'o'], /missing required argument/],
    ];
    for (const [args, message] of wrong) {
      const options = args.includes('--keyring') ? [] : keyring;
      const { code, stdout, stderr } = await s3egHere(
        ['decrypt', ...args, ...(args.includes('--config') ? [] : options)],
        {
          cwd: work,
        },
      );
      assert.match(stderr, message);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    }
    const missing = await s3egHere(['decrypt', 'nothing', '--bucket', 'b', '--key', 'k', '--output', 'o', ...keyring], {
      cwd: work,
    });
    assert.equal(missing.code, 3);
    assert.match(missing.stderr, /ENOENT/);
    await mkdir(join(work, 'hollow', 'deep'), { recursive: true });
    const hollow = await s3egHere(['decrypt', 'hollow', '--bucket', 'b', '--output', 'o', ...keyring], { cwd: work });
    assert.equal(hollow.code, 3);
    assert.match(hollow.stderr, /there is no file below/);
  });
});
