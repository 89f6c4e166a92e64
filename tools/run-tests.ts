import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { chosenRuntime, runtimeProgram, type RuntimeName } from '../test/support/runtimes.ts';
import { bunOptions } from '../test/support/start-command.ts';

/**
 * Runs all tests of the given folders under `test/`, e.g. `node tools/run-tests.ts unit contract`. With S3EG_TEST_SEED set,
 * random tests start from that seed. With S3EG_RUNTIME that runtime runs the tests of `unit` and `contract`, and the gateways of all others.
 */
const folders = process.argv.slice(2);
const seedFile = './test/support/known-seed.ts';
const seed = (option: string): string[] => (process.env['S3EG_TEST_SEED'] === undefined ? [] : [option, seedFile]);
// Node would leave a core free; what the tests without servers wait for is rarely that. The others load all cores by themselves.
const lightParallelism = Math.max(2, availableParallelism() - 1);

/** How a runtime is told to run test files, before their names. */
function testOptions(runtime: RuntimeName, isLight: boolean): readonly string[] {
  if (runtime === 'bun') {
    // Node has no timeout; with `--parallel` each file has a context of its own, and a process that ends early is a failure.
    return [...bunOptions, 'test', ...seed('--preload'), '--timeout=120000', `--parallel=${lightParallelism}`];
  }
  const concurrency = isLight ? [`--test-concurrency=${lightParallelism}`] : [];
  return [...seed('--import'), ...concurrency, '--test', '--test-reporter=spec'];
}

/** Runs the tests of folders; ends this process if one fails. */
function run(runtime: RuntimeName, wanted: readonly string[]): void {
  if (wanted.length === 0) return;
  const files = wanted.flatMap((folder) => globSync(`test/${folder}/**/*.test.ts`)).toSorted();
  const isLight = wanted.every((folder) => ['unit', 'contract', 'e2e'].includes(folder));
  // Without the dot Bun takes a name for a pattern.
  const names = files.map((file) => `./${file}`);
  const { status } = spawnSync(runtimeProgram(runtime), [...testOptions(runtime, isLight), ...names], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const missing = folders.filter((folder) => globSync(`test/${folder}/**/*.test.ts`).length === 0);
if (folders.length === 0 || missing.length > 0) {
  console.error(`no tests under ${missing.map((folder) => `test/${folder}`).join(', ')}`);
  process.exit(2);
}
const inProcess = folders.filter((folder) => ['unit', 'contract'].includes(folder));
const others = folders.filter((folder) => !inProcess.includes(folder));
if (chosenRuntime === 'node') run('node', folders);
else {
  run(chosenRuntime, inProcess);
  run('node', others);
}
