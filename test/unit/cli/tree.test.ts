import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { isPlainPath, listTree, withoutSidecars } from '../../../src/cli/offline/tree.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3eg-tree-'));
  await mkdir(join(folder, 'd', 'e'), { recursive: true });
  await mkdir(join(folder, 'hollow'));
  for (const name of ['b', 'a', 'd/z', 'd/e/y', 'd.x', 'a.metadata.json', 'lone.metadata.json']) {
    await writeFile(join(folder, name), name);
  }
  await symlink(join(folder, 'd'), join(folder, 'link'));
});

after(() => rm(folder, { recursive: true, force: true }));

describe('a tree', () => {
  it('has every file in order, and follows no link', async () => {
    const files = await listTree(folder);
    assert.deepEqual(
      files.map(({ path, isRegular }) => [path, isRegular]),
      [
        ['a', true],
        ['a.metadata.json', true],
        ['b', true],
        ['d.x', true],
        ['d/e/y', true],
        ['d/z', true],
        ['link', false],
        ['lone.metadata.json', true],
      ],
    );
    assert.equal(files[4]?.sizeBytes, 'd/e/y'.length);
  });

  it('takes a metadata file for one only beside its object', async () => {
    const paths = withoutSidecars(await listTree(folder)).map(({ path }) => path);
    assert.deepEqual(paths, ['a', 'b', 'd.x', 'd/e/y', 'd/z', 'link', 'lone.metadata.json']);
  });

  it('knows paths that lead elsewhere', () => {
    for (const path of ['a', 'a/b', '.a', 'a..', '...', 'a b/ü', '\\']) assert.equal(isPlainPath(path), true, path);
    for (const path of ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/..', '../a', './a', 'a/./b', 'a\0b']) {
      assert.equal(isPlainPath(path), false, path);
    }
  });
});
