import { writeSync } from 'node:fs';

import { pino } from 'pino';

/** Where batches of lines go. */
export interface BatchSink {
  write(text: string): unknown;
  /** At the end of the process: nothing that takes a turn of the event loop comes about any more. */
  writeLast(text: string): void;
}

/** How long a line waits at most. */
const waitMs = 50;
/** A batch that is so long goes out at once; in characters. */
const fullLength = 16 * 1024;
/** Most bytes that the system writes to a pipe in one piece, whoever else writes to it: PIPE_BUF on Linux (pipe(7)). */
const mostInOnePiece = 4096;

/** How lines are gathered, and written. */
export interface SharingOptions {
  /** Other processes write to the same place: pieces are whole lines that nobody else's lines can get into. */
  readonly isShared?: boolean;
}

/**
 * Gathers lines for a moment: a write for each line costs a small request a tenth of its CPU. What waits when the process
 * ends is written then, unless it is killed.
 */
export class LineBatch {
  readonly #sink: BatchSink;
  readonly #isShared: boolean;
  #lines = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: BatchSink, { isShared = false }: SharingOptions = {}) {
    this.#sink = sink;
    this.#isShared = isShared;
    process.once('exit', () => sink.writeLast(this.#take()));
  }

  /** Takes a line, its line feed included. */
  write(line: string): void {
    if (this.#isShared && Buffer.byteLength(this.#lines) + Buffer.byteLength(line) > mostInOnePiece) this.flush();
    this.#lines += line;
    if (this.#lines.length >= fullLength) return this.flush();
    // It must not keep a process that is done.
    this.#timer ??= setTimeout(() => this.flush(), waitMs).unref();
  }

  /** Gives on what was gathered. */
  flush(): void {
    const lines = this.#take();
    if (lines !== '') this.#sink.write(lines);
  }

  #take(): string {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    this.#lines = '';
    return lines;
  }
}

/** Standard output, which never blocks but at the end of the process. */
export function standardOutput({ isShared = false }: SharingOptions = {}): BatchSink {
  const descriptor = 1;
  const stream = pino.destination({ dest: descriptor, sync: false, ...(isShared ? { maxWrite: mostInOnePiece } : {}) });
  return {
    write: (text) => stream.write(text),
    writeLast: (text) => {
      try {
        stream.flushSync();
        writeSync(descriptor, text);
      } catch {
        // Nobody reads any more, or too slowly: not a reason to end otherwise than the process does.
      }
    },
  };
}
