import { progress } from '@clack/prompts';

import { systemClock, type Clock } from '../base/clock.ts';
import type { CliIo } from './cli-io.ts';
import { byteText } from './byte-text.ts';

/** How far a command is. */
export interface Progress {
  /** So many bytes more are done. */
  advance(lengthBytes: number): void;
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
  readonly totalBytes: number;
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
  if (io.errIsTerminal) return new BarProgress(io, options);
  return options.quiet ? silentProgress : new LineProgress(io, options);
}

const silentProgress: Progress = { advance() {}, done() {}, problem() {}, stop() {} };

/** How much of the whole is done, in words. */
function shareText(doneBytes: number, totalBytes: number): string {
  const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
  return `${percent} %, ${byteText(doneBytes)} of ${byteText(totalBytes)}`;
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
  #doneBytes = 0;

  constructor(io: CliIo, options: ProgressOptions) {
    this.#io = io;
    this.#options = options;
    this.#pace = new Pace(linesEveryMs, options.clock ?? systemClock);
  }

  advance(lengthBytes: number): void {
    this.#doneBytes += lengthBytes;
    const { title, totalBytes } = this.#options;
    if (this.#pace.isDue()) this.#io.err(`${title}: ${shareText(this.#doneBytes, totalBytes)}\n`);
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
  #doneBytes = 0;
  #shownBytes = 0;

  constructor(io: CliIo, options: ProgressOptions) {
    this.#io = io;
    this.#options = options;
    this.#pace = new Pace(barEveryMs, options.clock ?? systemClock);
    this.#bar = progress({
      max: options.totalBytes,
      size: barColumns,
      style: 'block',
      withGuide: false,
      output: process.stderr,
    });
    this.#bar.start(options.title);
    releaseKeyboard();
  }

  advance(lengthBytes: number): void {
    this.#doneBytes += lengthBytes;
    if (!this.#pace.isDue()) return;
    const { title, totalBytes } = this.#options;
    const failed = this.#problems.length === 0 ? '' : `, ${this.#problems.length} failed`;
    const text = `${title}: ${shareText(this.#doneBytes, totalBytes)}${failed}`;
    this.#bar.advance(this.#doneBytes - this.#shownBytes, text);
    this.#shownBytes = this.#doneBytes;
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
