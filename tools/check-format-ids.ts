import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const idPattern = /\bF1-[A-Z]+-\d+\b/g;

/** One line per MUST of docs/format/ that no line of src/ keeps or no test names, and per id that the docs do not have. */
export function checkFormatIds(): string[] {
  const specified = idsUnder('docs/format');
  const kept = idsUnder('src');
  const proven = idsUnder('test');
  return [
    ...[...specified].filter((id) => !kept.has(id)).map((id) => `${id} stands in docs/format but nowhere in src/`),
    ...[...specified].filter((id) => !proven.has(id)).map((id) => `${id} stands in docs/format but in no test`),
    ...[...kept, ...proven].filter((id) => !specified.has(id)).map((id) => `${id} is not in docs/format`),
  ];
}

function idsUnder(folder: string): ReadonlySet<string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Set(
    files.flatMap((file) => readFileSync(join(file.parentPath, file.name), 'utf8').match(idPattern) ?? []),
  );
}
