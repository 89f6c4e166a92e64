import { CodedError } from '../base/coded-error.ts';

/** One mistake in the configuration and where it is. */
export interface ConfigProblem {
  /** File name, or the name of an environment variable. */
  readonly source: string;
  /** Counted from 1; absent for environment variables and unreadable files. */
  readonly line?: number;
  readonly column?: number;
  /** Dotted path of the setting; empty for the document as a whole. */
  readonly path: string;
  readonly message: string;
  /** What was probably meant. */
  readonly suggestion?: string;
}

/** One line for people: `file:line:column: path: message; did you mean "x"?`. */
export function formatProblem(problem: ConfigProblem): string {
  const { source, line, column, path, message, suggestion } = problem;
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  return `${place}: ${path === '' ? '' : `${path}: `}${message}${hint}`;
}

/** The configuration cannot be used; holds every mistake that was found. Values are never quoted: some are secret. */
export class ConfigError extends CodedError<'config_invalid'> {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], options: { readonly cause?: unknown } = {}) {
    super('config_invalid', problems.map(formatProblem).join('\n'), options);
    this.problems = problems;
  }
}

/** Dotted form of a path: `policies[0].match`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}
