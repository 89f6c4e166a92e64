import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Runs all tests of the given folders under `test/`, e.g. `node tools/run-tests.ts unit contract`. With S3EG_TEST_SEED set,
 * random tests start from that seed.
 */
const folders = process.argv.slice(2);
const files = folders.flatMap((folder) => globSync(`test/${folder}/**/*.test.ts`)).toSorted();
if (files.length === 0) {
  console.error(`no tests under ${folders.map((folder) => `test/${folder}`).join(', ')}`);
  process.exit(2);
}
const seed = process.env['S3EG_TEST_SEED'] === undefined ? [] : ['--import', './test/support/known-seed.ts'];
// Node would leave a core free; what the tests without servers wait for is rarely that. The others load all cores by themselves.
const isLight = folders.every((folder) => ['unit', 'contract', 'e2e'].includes(folder));
const concurrency = isLight ? [`--test-concurrency=${Math.max(2, availableParallelism() - 1)}`] : [];
const options = [...seed, ...concurrency, '--test', '--test-reporter=spec'];
const { status } = spawnSync(process.execPath, [...options, ...files], { stdio: 'inherit' });
process.exit(status ?? 1);
