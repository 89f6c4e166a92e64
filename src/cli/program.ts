import { Command, CommanderError } from 'commander';

import { messageOf } from '../base/message-of.ts';
import { version } from '../wire/version.ts';
import { processIo, type CliIo } from './cli-io.ts';
import type { CommandFactory, SetExitCode } from './command.ts';
import { exitCode, UsageError } from './exit-code.ts';
import { checkCommand } from './check.ts';
import { decryptCommand } from './decrypt.ts';
import { doctorCommand } from './doctor.ts';
import { inspectCommand } from './inspect.ts';
import { keysCommand } from './keys.ts';
import { rewrapCommand } from './rewrap.ts';
import { serveCommand } from './serve.ts';

const commands: readonly CommandFactory[] = [
  serveCommand,
  checkCommand,
  doctorCommand,
  keysCommand,
  rewrapCommand,
  inspectCommand,
  decryptCommand,
];

/** The command line of `s3eg`, with all its commands. */
export function createProgram(io: CliIo, setExitCode: SetExitCode): Command {
  const program = new Command('s3eg')
    .description('A transparent S3 proxy that encrypts every object before it reaches the provider.')
    .version(version, '--version', 'Prints the version.')
    .helpOption('--help', 'Prints this help.')
    .helpCommand('help [command]', 'Prints the help of a command.')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('("s3eg help" lists commands and options)');
  for (const make of commands) {
    const command = make(io, setExitCode);
    inherit(command, program);
    program.addCommand(command);
  }
  return program;
}

/** Where output goes, and that no command ends the process, holds for commands of commands too. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent).exitOverride();
  for (const own of command.commands) inherit(own, command);
}

/**
 * Runs one command line, given without the names of node and program; never throws.
 * @returns the exit code.
 */
export async function runCli(args: readonly string[], io: CliIo = processIo()): Promise<number> {
  let code: number = exitCode.fine;
  const program = createProgram(io, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has said already what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.fine : exitCode.wrongUsage;
    io.err(`s3eg: ${messageOf(error)}\n`);
    return error instanceof UsageError ? exitCode.wrongUsage : exitCode.couldNotRun;
  }
}
