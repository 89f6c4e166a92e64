/** What the demo shows: text on the terminal, and the same text with its times in a cast that asciinema plays. */
import { appendFileSync, writeFileSync } from 'node:fs';

const columns = 120;
const rows = 40;

/** Something that the demo claims turned out not to be so. */
export class ClaimFailed extends Error {
  override readonly name = 'ClaimFailed';
}

/** Where the demo speaks. */
export class Stage {
  readonly #castFile: string | undefined;
  readonly #startMs = performance.now();
  #steps = 0;
  #claims = 0;

  /** @param castFile where a cast in version 2 of asciinema's format is written to; nothing may be there that is needed. */
  constructor(castFile: string | undefined) {
    this.#castFile = castFile;
    if (castFile === undefined) return;
    const header = {
      version: 2,
      width: columns,
      height: rows,
      timestamp: Math.floor(Date.now() / 1000),
      title: 'S3 encryption gateway: keys in Vault and AWS KMS, rotated, rewrapped, retired',
    };
    writeFileSync(castFile, `${JSON.stringify(header)}\n`);
  }

  /** How many claims were true so far. */
  get claims(): number {
    return this.#claims;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** Begins a step: its title, and what a newcomer should know. */
  step(title: string, explanation: string): void {
    this.#write(`\n== ${String(++this.#steps)}. ${title}\n${wrapped(explanation)}\n\n`);
  }

  /** Shows a command that runs now. */
  command(line: string): void {
    this.#write(`$ ${line}\n`);
  }

  /** Shows what a command or a file says, indented. */
  output(text: string): void {
    const lines = text.trimEnd().split('\n');
    this.#write(lines.map((line) => (line === '' ? '\n' : `  ${line}\n`)).join(''));
  }

  /** Says that something is so, after it was looked at. @throws ClaimFailed where it is not. */
  claim(what: string, isSo: boolean): void {
    this.#write(`${isSo ? '[ok]' : '[FAILED]'} ${what}\n`);
    if (!isSo) throw new ClaimFailed(what);
    this.#claims++;
  }

  note(text: string): void {
    this.#write(`${text}\n`);
  }

  /** Each event is written at once, so that a run that fails leaves what was seen until then. */
  #write(text: string): void {
    process.stdout.write(text);
    if (this.#castFile === undefined) return;
    const event = [Number(this.seconds.toFixed(6)), 'o', text.replaceAll('\n', '\r\n')];
    appendFileSync(this.#castFile, `${JSON.stringify(event)}\n`);
  }
}

/** Text in lines that fit the terminal of the cast. */
function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length < columns - 10) lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
