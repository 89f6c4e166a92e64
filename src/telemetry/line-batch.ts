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

/**
 * Gathers lines for a moment: a write for each line costs a small request a tenth of its CPU. What waits when the process
 * ends is written then, unless it is killed.
 */
export class LineBatch {
  readonly #sink: BatchSink;
  #lines = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: BatchSink) {
    this.#sink = sink;
    process.once('exit', () => sink.writeLast(this.#take()));
  }

  /** Takes a line, its line feed included. */
  write(line: string): void {
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
export function standardOutput(): BatchSink {
  const descriptor = 1;
  const stream = pino.destination({ dest: descriptor, sync: false });
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
