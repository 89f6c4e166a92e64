#!/usr/bin/env node
// The launcher of s3eg: runs src/cli/main.ts, which Node 24 or newer runs as it is, with a Node that can. Nothing is
// imported statically, so that an older Node gets as far as the message below.

const oldestMajor = 24;
const couldNotRun = 3;
/** As in `npm start`; docs/operations.md says what each is for. */
const nodeOptions = [
  '--max-semi-space-size=4',
  '--initial-old-space-size=48',
  '--external-memory-accounted-in-global-limit',
];
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

if (Number(process.versions.node.split('.')[0]) >= oldestMajor) {
  await runHere();
} else {
  await runWithPinnedNode();
}

async function runHere() {
  try {
    await import('../src/cli/main.ts');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    giveUp(
      `a package is missing (${error.message.replace(/ imported from .*/s, '')})`,
      'run "npm ci" in the folder of s3eg.',
    );
  }
}

/** Runs the command with the Node that `npm ci` installed; signals go to it, its exit code or signal becomes ours. */
async function runWithPinnedNode() {
  const { spawn } = await import('node:child_process');
  const { existsSync } = await import('node:fs');
  const { join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const root = fileURLToPath(new URL('..', import.meta.url));
  const node = join(root, 'node_modules', '.bin', 'node');
  const main = join(root, 'src', 'cli', 'main.ts');
  const needed = `needs Node ${oldestMajor} or newer, this is ${process.versions.node}`;
  const advice = 'run "npm ci" in the folder of s3eg, or start it with a newer Node.';
  if (!existsSync(node)) return giveUp(`${needed} and ${node} is not there`, advice);
  const child = spawn(node, [...nodeOptions, main, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.once('error', (error) => giveUp(`${needed} and ${node} cannot be run (${error.message})`, advice));
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? couldNotRun);
    for (const passedOn of signals) process.removeAllListeners(passedOn);
    process.kill(process.pid, signal);
  });
}

function giveUp(problem, advice) {
  process.stderr.write(`s3eg: ${problem}: ${advice}\n`);
  process.exitCode = couldNotRun;
}
