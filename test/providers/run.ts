/** `npm run test:providers -- [--provider NAME]...`; without a name all of them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { allProviders } from './support/provider-file.ts';

const names = allProviders().map(({ name }) => name);

function usage(problem: string): never {
  console.error(problem);
  process.exit(2);
}

function chosen(): readonly string[] | undefined {
  try {
    return parseArgs({ options: { provider: { type: 'string', multiple: true } } }).values.provider ?? names;
  } catch {
    return undefined;
  }
}

const wanted = chosen() ?? usage('usage: npm run test:providers -- [--provider NAME]...');
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) usage(`no provider ${unknown.join(', ')}; there are: ${names.join(', ')}`);
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-reporter=spec', join(import.meta.dirname, 'provider.test.ts')],
  { stdio: 'inherit', env: { ...process.env, S3EG_TEST_PROVIDERS: wanted.join(',') } },
);
process.exit(status ?? 1);
