import { Command, CommanderError } from 'commander';

import { messageOf } from '../base/message-of.ts';
import { version } from '../wire/version.ts';
import { processIo, type CliIo } from './cli-io.ts';
import type { CommandFactory, SetExitCode } from './command.ts';
import { exitCode, UsageError } from './exit-code.ts';

/** Each is loaded only where it is needed: a gateway keeps in memory what it has loaded. */
const commands: ReadonlyMap<string, () => Promise<CommandFactory>> = new Map([
  ['serve', async () => (await import('./serve.ts')).serveCommand],
  ['check', async () => (await import('./check.ts')).checkCommand],
  ['doctor', async () => (await import('./doctor.ts')).doctorCommand],
  ['keys', async () => (await import('./keys.ts')).keysCommand],
  ['rewrap', async () => (await import('./rewrap.ts')).rewrapCommand],
  ['inspect', async () => (await import('./inspect.ts')).inspectCommand],
  ['decrypt', async () => (await import('./decrypt.ts')).decryptCommand],
]);

/** The command line of `s3eg`, with all its commands, or only with the one of the name `only`, where there is such a one. */
export async function createProgram(io: CliIo, setExitCode: SetExitCode, only?: string): Promise<Command> {
  const program = new Command('s3eg')
    .description('A transparent S3 proxy that encrypts every object before it reaches the provider.')
    .version(version, '--version', 'Prints the version.')
    .helpOption('--help', 'Prints this help.')
    .helpCommand('help [command]', 'Prints the help of a command.')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('("s3eg help" lists commands and options)');
  const named = commands.get(only ?? '');
  for (const load of named === undefined ? commands.values() : [named]) {
    const command = (await load())(io, setExitCode);
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
  const setExitCode = (ended: number): void => {
    code = ended;
  };
  try {
    const program = await createProgram(io, setExitCode, args[0]);
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has said already what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.fine : exitCode.wrongUsage;
    io.err(`s3eg: ${messageOf(error)}\n`);
    return error instanceof UsageError ? exitCode.wrongUsage : exitCode.couldNotRun;
  }
}
