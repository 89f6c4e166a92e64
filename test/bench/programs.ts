import { spawnSync } from 'node:child_process';

/** Whether a command ends well; what it says is not shown. */
export function canRun(...[program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}
