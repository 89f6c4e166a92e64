import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { streamOf } from '../../../src/base/streams.ts';
import { OutputExistsError, writeWholeFile } from '../../../src/cli/offline/output-file.ts';

const careful = { force: false, makeDirectories: false };
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3eg-output-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const content = Buffer.from('content');

describe('an output file', () => {
  it('has every byte of the stream, whatever its pieces', async () => {
    const pieces = [0, 1, 65_536, 3, 1_048_576, 0, 999_999, 2_000_000].map((length, index) =>
      Buffer.alloc(length, index + 1),
    );
    const lengthBytes = await writeWholeFile(join(folder, 'file'), streamOf(...pieces), careful);
    const expected = Buffer.concat(pieces);
    assert.equal(lengthBytes, expected.length);
    assert.ok((await readFile(join(folder, 'file'))).equals(expected));
    assert.equal(await writeWholeFile(join(folder, 'empty'), streamOf(), careful), 0);
    assert.deepEqual((await readdir(folder)).toSorted(), ['empty', 'file']);
  });

  it('has no name before the stream has ended well', async () => {
    const failure = new Error('broken');
    const source = (async function* () {
      yield content;
      assert.equal((await readdir(folder)).includes('file'), false);
      throw failure;
    })();
    await assert.rejects(writeWholeFile(join(folder, 'file'), source, careful), failure);
    assert.deepEqual(await readdir(folder), []);
  });

  it('replaces nothing without force, not even what was made meanwhile', async () => {
    const file = join(folder, 'file');
    const racing = (async function* () {
      yield content;
      await writeFile(file, 'precious');
    })();
    await assert.rejects(writeWholeFile(file, racing, careful), OutputExistsError);
    assert.equal(await readFile(file, 'utf8'), 'precious');
    let isRead = false;
    const unread = (async function* () {
      isRead = true;
      yield content;
    })();
    await assert.rejects(writeWholeFile(file, unread, careful), OutputExistsError);
    assert.equal(isRead, false);
    assert.deepEqual(await readdir(folder), ['file']);
  });

  it('keeps the old file under force until the new one is whole', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'old');
    const failing = (async function* (): AsyncGenerator<Uint8Array> {
      yield content;
      throw new Error('broken');
    })();
    await assert.rejects(writeWholeFile(file, failing, { ...careful, force: true }), /broken/);
    assert.equal(await readFile(file, 'utf8'), 'old');
    await writeWholeFile(file, streamOf(content), { ...careful, force: true });
    assert.equal(await readFile(file, 'utf8'), 'content');
    assert.deepEqual(await readdir(folder), ['file']);
  });

  it('makes directories where it is told to', async () => {
    const file = join(folder, 'a', 'b', 'file');
    await assert.rejects(writeWholeFile(file, streamOf(content), careful), { code: 'ENOENT' });
    await writeWholeFile(file, streamOf(content), { ...careful, makeDirectories: true });
    assert.equal(await readFile(file, 'utf8'), 'content');
  });

  it('does not take the place of a directory', async () => {
    await mkdir(join(folder, 'file', 'x'), { recursive: true });
    await assert.rejects(writeWholeFile(join(folder, 'file'), streamOf(content), { ...careful, force: true }));
    assert.deepEqual(await readdir(folder), ['file']);
  });
});
