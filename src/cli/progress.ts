import { progress } from '@clack/prompts';

import { systemClock, type Clock } from '../base/clock.ts';
import type { CliIo } from './cli-io.ts';
import { byteText } from './byte-text.ts';

/** How far a command is. */
export interface Progress {
  /** So many bytes or objects more are done. */
  advance(amount: number): void;
  /** One item is done; shown where lines are shown. */
  done(line: string): void;
  /** One item failed; always shown, by a bar when it is gone. */
  problem(line: string): void;
  /** Takes the bar away. To be called once. */
  stop(): void;
}

/** What is to be done. */
export interface ProgressOptions {
  /** What the command does, such as `Decrypting`. */
  readonly title: string;
  /** What is counted. */
  readonly unit: 'bytes' | 'objects';
  /** All there is; undefined where that is not known: then there is no bar. */
  readonly total: number | undefined;
  /** Say nothing where there is no terminal: the result says it all. */
  readonly quiet: boolean;
  readonly clock?: Clock;
}

const linesEveryMs = 10_000;
const barEveryMs = 100;
/** Leaves room for the text on 80 columns. */
const barColumns = 24;

/** A bar on a terminal, plain lines elsewhere. */
export function createProgress(io: CliIo, options: ProgressOptions): Progress {
  const { total } = options;
  if (io.errIsTerminal && total !== undefined) return new BarProgress(io, { ...options, total });
  return options.quiet ? silentProgress : new LineProgress(io, options);
}

const silentProgress: Progress = { advance() {}, done() {}, problem() {}, stop() {} };

/** How much of the whole is done, in words. */
function shareText(done: number, { total, unit }: Pick<ProgressOptions, 'total' | 'unit'>): string {
  const text = unit === 'bytes' ? byteText : String;
  const named = unit === 'bytes' ? '' : ` ${unit}`;
  if (total === undefined) return `${text(done)}${named}`;
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return `${percent} %, ${text(done)} of ${text(total)}${named}`;
}

/** Lets something happen at most once in a while. */
class Pace {
  readonly #everyMs: number;
  readonly #clock: Clock;
  #lastMs: number;

  constructor(everyMs: number, clock: Clock) {
    this.#everyMs = everyMs;
    this.#clock = clock;
    this.#lastMs = clock.now();
  }

  isDue(): boolean {
    const nowMs = this.#clock.now();
    if (nowMs - this.#lastMs < this.#everyMs) return false;
    this.#lastMs = nowMs;
    return true;
  }
}

class LineProgress implements Progress {
  readonly #io: CliIo;
  readonly #options: ProgressOptions;
  readonly #pace: Pace;
  #done = 0;

  constructor(io: CliIo, options: ProgressOptions) {
    this.#io = io;
    this.#options = options;
    this.#pace = new Pace(linesEveryMs, options.clock ?? systemClock);
  }

  advance(amount: number): void {
    this.#done += amount;
    const { title } = this.#options;
    if (this.#pace.isDue()) this.#io.err(`${title}: ${shareText(this.#done, this.#options)}\n`);
  }

  done(line: string): void {
    this.#io.err(`${line}\n`);
  }

  problem(line: string): void {
    this.#io.err(`${line}\n`);
  }

  stop(): void {}
}

class BarProgress implements Progress {
  readonly #io: CliIo;
  readonly #options: ProgressOptions;
  readonly #bar: ReturnType<typeof progress>;
  readonly #pace: Pace;
  readonly #problems: string[] = [];
  #done = 0;
  #shown = 0;

  constructor(io: CliIo, options: ProgressOptions & { readonly total: number }) {
    this.#io = io;
    this.#options = options;
    this.#pace = new Pace(barEveryMs, options.clock ?? systemClock);
    this.#bar = progress({
      max: options.total,
      size: barColumns,
      style: 'block',
      withGuide: false,
      output: process.stderr,
    });
    this.#bar.start(options.title);
    releaseKeyboard();
  }

  advance(amount: number): void {
    this.#done += amount;
    if (!this.#pace.isDue()) return;
    const { title } = this.#options;
    const failed = this.#problems.length === 0 ? '' : `, ${this.#problems.length} failed`;
    const text = `${title}: ${shareText(this.#done, this.#options)}${failed}`;
    this.#bar.advance(this.#done - this.#shown, text);
    this.#shown = this.#done;
  }

  done(): void {}

  problem(line: string): void {
    this.#problems.push(line);
  }

  stop(): void {
    this.#bar.clear();
    for (const line of this.#problems) this.#io.err(`${line}\n`);
  }
}

/**
 * Gives back the keyboard, which the bar takes for itself: it would end the process with code 0 at Ctrl-C, which is to
 * stop it cleanly, and swallow what the caller's shell loop has on its standard input.
 */
function releaseKeyboard(): void {
  const { stdin } = process;
  stdin.removeAllListeners('keypress');
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.pause();
}
