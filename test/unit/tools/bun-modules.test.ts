import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../../..');

/** Packages that Bun answers with modules of its own, which do less: it takes the package only by a path within it. */
const shadowed = /(?:from|import|import\(|require\()\s*'(?:undici|ws|node-fetch)'/;

test('no package is imported by a name under which Bun has something else', () => {
  assert.match("import { Pool } from 'undici';", shadowed);
  const files = globSync('src/**/*.ts', { cwd: root });
  assert.ok(files.length > 100, `${files.length} files`);
  const wrong = files.filter((file) => shadowed.test(readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(wrong, []);
});
