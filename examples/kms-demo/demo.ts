/** `examples/kms-demo/run`: tells the story, and leaves neither processes nor files behind, however it ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { findKms, kmsNames, type KmsName } from './kms.ts';
import { killAll } from './processes.ts';
import { Site } from './site.ts';
import { ClaimFailed, Stage } from './stage.ts';
import { tell } from './story.ts';
import { findTool, ToolMissing } from './tools.ts';

const usage = `Usage: examples/kms-demo/run [--cast FILE] [--kms ${kmsNames.join('|')}]`;
const exitCodes = { claimFailed: 1, usage: 2, couldNotRun: 3 } as const;

interface Options {
  readonly cast: string | undefined;
  readonly kms: KmsName | undefined;
}

/** @throws Error where they are wrong. */
function readOptions(): Options {
  const { values } = parseArgs({ options: { cast: { type: 'string' }, kms: { type: 'string' } } });
  const kms = kmsNames.find((name) => name === values.kms);
  if (values.kms !== undefined && kms === undefined) throw new Error(`there is no stand-in "${values.kms}"`);
  return { cast: values.cast, kms };
}

/** A folder that is gone when the process is, together with all that the demo started. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 's3eg-kms-demo-'));
  process.on('exit', () => {
    killAll();
    // A program that was killed this moment may still be writing.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }))
    process.on(signal, () => process.exit(128 + number));
  return folder;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`kms-demo: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return exitCodes.usage;
  }
  try {
    const tools = {
      vault: findTool('vault', 'bin/vault'),
      aws: findTool('aws', 'python/bin/aws').path,
      npm: findTool('npm').path,
      kms: findKms(options.kms),
    };
    await tell(new Site(new Stage(options.cast), tools, temporaryFolder()));
    return 0;
  } catch (error) {
    const isExpected = error instanceof ClaimFailed || error instanceof ToolMissing;
    console.error(isExpected ? `kms-demo: ${error.message}` : error);
    return error instanceof ClaimFailed ? exitCodes.claimFailed : exitCodes.couldNotRun;
  }
}

process.exit(await main());
