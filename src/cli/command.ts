import type { Command } from 'commander';

import type { CliIo } from './cli-io.ts';

/** Tells the program how a command ended; exit code 0 where it is not called. */
export type SetExitCode = (code: number) => void;

/** Makes one command of `s3eg`. */
export type CommandFactory = (io: CliIo, setExitCode: SetExitCode) => Command;
