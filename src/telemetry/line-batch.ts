/** Where a batch of lines goes; `flushSync` writes what was given and is not written yet. */
export interface BatchSink {
  write(text: string): unknown;
  flushSync(): void;
}

/** How long a line waits at most. */
const waitMs = 50;
/** A batch that is so long goes out at once; in characters. */
const fullLength = 16 * 1024;

/**
 * Gathers lines for a moment: a write for each line costs a small request a tenth of its CPU. Nothing is lost at the end
 * of the process but where it is killed.
 */
export class LineBatch {
  readonly #sink: BatchSink;
  #lines = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: BatchSink) {
    this.#sink = sink;
    process.once('exit', () => {
      this.flush();
      sink.flushSync();
    });
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
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    this.#lines = '';
    if (lines !== '') this.#sink.write(lines);
  }
}
