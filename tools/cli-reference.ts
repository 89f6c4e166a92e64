import type { Command } from 'commander';

import { exitCode } from '../src/cli/exit-code.ts';
import { createProgram } from '../src/cli/program.ts';

const meanings: Readonly<Record<keyof typeof exitCode, string>> = {
  fine: 'Everything is as it should be.',
  foundProblems: 'The command ran and found problems.',
  wrongUsage: 'Options or arguments are wrong.',
  couldNotRun: 'The command could not run, or not to its end: configuration, keys, files, ports.',
};

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|');

function section(command: Command, prefix: readonly string[] = []): string {
  const path = [...prefix, command.name()];
  if (command.commands.length > 0) return command.commands.map((own) => section(own, path)).join('\n');
  const names = command.registeredArguments.map((argument) => {
    const shown = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? `<${shown}>` : `[${shown}]`;
  });
  const rows = [
    ...command.registeredArguments.map(
      (argument) => [argument.name(), argument.description, argument.required] as const,
    ),
    ...command.options.map((option) => [option.flags, option.description, option.mandatory] as const),
  ];
  const lines = rows.map(
    ([name, meaning, required]) => `| ${code(name)} | ${required ? 'yes' : ''} | ${cell(meaning)} |`,
  );
  return `## ${code(['s3eg', ...path, ...names].join(' '))}

${command.description()}

| Argument or option | Required | Meaning |
| --- | --- | --- |
${lines.join('\n')}
`;
}

/** The reference page of the command line, made from the commands themselves. */
export async function renderCliReference(): Promise<string> {
  const silent = { env: {}, cwd: '/', out() {}, err() {}, errIsTerminal: false };
  const program = await createProgram(silent, () => {});
  const codes = Object.entries(meanings).map(([name, meaning]) => {
    const value = Object.entries(exitCode).find(([key]) => key === name)?.[1];
    return `| ${value} | ${meaning} |`;
  });
  return `# Commands

<!-- Made by \`npm run docs\` from src/cli: do not edit. -->

\`npx s3eg <command>\` in the folder of the repository, or \`bin/s3eg.mjs\` by its path; \`npm start\` is \`s3eg serve\`. A Node that is too
old is replaced by the pinned one. Results go to standard output, problems and progress to standard error; without a terminal progress
is plain lines. \`s3eg help <command>\` says what stands here.

${program.commands.map((command) => section(command)).join('\n')}
## Exit codes

| Code | Meaning |
| --- | --- |
${codes.join('\n')}
| 128 + n | Signal n ended the command. |
`;
}
