import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { chosenRuntime } from './runtimes.ts';

const thisCheckout = join(import.meta.dirname, '../..');

/** Options of Bun without which it runs what a bunfig.toml in the working directory names, reads .env there, and installs what is missing. */
export const bunOptions = ['--config=/dev/null', '--no-env-file', '--no-install'];

/**
 * What `npm start` gives to node: its options, and the program with its whole path. Tests and benchmarks start the gateway
 * with the same, from any directory, so that they see the configuration that is shipped. `repository` may be another
 * checkout. Bun takes none of node's options, and gets those of docs/operations.md.
 */
export function startArguments(repository = thisCheckout, runtime = chosenRuntime): readonly string[] {
  const { scripts }: { scripts: { start: string } } = JSON.parse(
    readFileSync(join(repository, 'package.json'), 'utf8'),
  );
  const [shell, program, ...args] = scripts.start.split(' ');
  if (shell !== 'exec' || program !== 'node') throw new Error(`npm start does not run node: ${scripts.start}`);
  const taken = runtime === 'bun' ? [...bunOptions, ...args.filter((argument) => !argument.startsWith('--'))] : args;
  return taken.map((argument) => (argument.endsWith('.ts') ? join(repository, argument) : argument));
}
