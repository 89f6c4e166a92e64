import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { checkDependencies, dependencyFacts } from './check-dependencies.ts';
import { checkFormatIds } from './check-format-ids.ts';
import { checkLicences } from './check-licences.ts';
import { checkLinks } from './check-links.ts';
import { generatedDocs } from './generate-docs.ts';

const root = join(import.meta.dirname, '..');

async function findStalePages(): Promise<string[]> {
  const problems: string[] = [];
  for (const [path, text] of await generatedDocs()) {
    const found = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (found !== text) problems.push(`${path} is not what the code says: run npm run docs`);
  }
  return problems;
}

const problems = [
  ...(await findStalePages()),
  ...checkFormatIds(),
  ...checkDependencies(dependencyFacts()),
  ...checkLicences(),
  ...checkLinks(),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
