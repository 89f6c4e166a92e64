/** Exit codes of every command (docs/cli.md); a command that a signal ended gives 128 and the signal's number. */
export const exitCode = { fine: 0, foundProblems: 1, wrongUsage: 2, couldNotRun: 3 } as const;

/** Options or arguments that do not fit together: exit code 2. */
export class UsageError extends Error {}
