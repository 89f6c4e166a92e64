import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const idPattern = /\bF1-[A-Z]+-\d+\b/g;
/** The name of a test, which may stand on the line behind. */
const testName = /\b(?:it|test)\(\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\]|\\.)*)")/g;

/**
 * One line per MUST of docs/format/ that no line of src/ keeps or that is in no test's name, and per id that the docs do
 * not have. The vectors' names are made of data, and do not count: a MUST needs a test that was written for it.
 */
export function checkFormatIds(): string[] {
  const specified = idsIn(textsUnder('docs/format'));
  const kept = idsIn(textsUnder('src'));
  const tests = textsUnder('test');
  const proven = idsIn(tests.flatMap((text) => Array.from(text.matchAll(testName), ([, ...names]) => names.join(''))));
  return [
    ...[...specified].filter((id) => !kept.has(id)).map((id) => `${id} stands in docs/format but nowhere in src/`),
    ...[...specified].filter((id) => !proven.has(id)).map((id) => `${id} stands in docs/format but in no test's name`),
    ...[...new Set([...kept, ...idsIn(tests)])]
      .filter((id) => !specified.has(id))
      .map((id) => `${id} is not in docs/format`),
  ];
}

function idsIn(texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => text.match(idPattern) ?? []));
}

function textsUnder(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((file) => readFileSync(join(file.parentPath, file.name), 'utf8'));
}
