/** Commands that the demo shows and runs: the AWS CLI and s3eg, in the folder of the demo. */
import { execPath } from 'node:process';
import { join } from 'node:path';

import { run, type Command, type Finished } from './processes.ts';
import type { Stage } from './stage.ts';
import { repository } from './tools.ts';

/** How a shown command is run. */
export interface Shown {
  /** What the command begins with on the stage. */
  readonly name: string;
  readonly program: string;
  /** What its arguments begin with, unseen. */
  readonly args: readonly string[];
}

/** The AWS CLI: S3 at the gateway, KMS at the stand-in. */
export function awsCommand(program: string): Shown {
  return { name: 'aws', program, args: [] };
}

/** `npx s3eg`, without the second that npx takes. */
export const s3egCommand: Shown = {
  name: 'npx s3eg',
  program: execPath,
  args: [join(repository, 'bin/s3eg.mjs')],
};

/** Shows a command, runs it, and shows what it says without the folder of the demo, whatever its exit code. */
export async function show(
  stage: Stage,
  shown: Shown,
  args: readonly string[],
  place: Pick<Command, 'cwd' | 'env'>,
): Promise<Finished> {
  stage.command([shown.name, ...args].join(' '));
  const finished = await run({ program: shown.program, args: [...shown.args, ...args], ...place });
  const said = `${finished.stdout}${finished.stderr}`.replaceAll(`${place.cwd}/`, '');
  if (said.trim() !== '') stage.output(said);
  return finished;
}
