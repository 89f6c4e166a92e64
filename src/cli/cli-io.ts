/** What a command has to do with the world outside: results go out, progress and problems to err. */
export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether somebody watches `err` on a terminal that a progress bar fits on. */
  readonly errIsTerminal: boolean;
}

const minBarColumns = 60;

/** The process's own. */
export function processIo(): CliIo {
  return {
    env: process.env,
    cwd: process.cwd(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    // Terminals without a size (0 columns) exist: containers, some supervisors. A bar would be a letter a line there.
    errIsTerminal: process.stderr.isTTY && process.stderr.columns >= minBarColumns,
  };
}

/** Text from elsewhere (names, keys, messages that quote them) without characters that drive a terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
