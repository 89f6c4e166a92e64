import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { checkLinks } from '../../../tools/check-links.ts';

/** What is found in a folder with these files. */
async function problemsIn(files: Readonly<Record<string, string>>): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'links-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    return checkLinks(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

test('every link of the documentation leads somewhere', () => {
  assert.deepEqual(checkLinks(join(import.meta.dirname, '../../..')), []);
});

test('links to files and headings are followed, from the folder of the page', async () => {
  const found = await problemsIn({
    'README.md': '[a](docs/a.md) [b](docs/b.md) [top](#here-we-are) [none](#nowhere)\n\n## Here we are!\n',
    'docs/a.md': '[up](../README.md#here-we-are) [none](README.md) [beside](a.md#x) [out](../../etc/passwd)',
  });
  assert.deepEqual(found, [
    'README.md links to docs/b.md, which is not there',
    'README.md links to #nowhere, which is not there',
    'docs/a.md links to README.md, which is not there',
    'docs/a.md links to a.md#x, which is not there',
    'docs/a.md links to ../../etc/passwd, which is not there',
  ]);
});

test('other sites and examples in code are left alone', async () => {
  const text = '[site](https://example.org/x) [mail](mailto:a@example.org)\n\n```md\n[a](nowhere.md)\n```\n';
  assert.deepEqual(await problemsIn({ 'README.md': text }), []);
});
