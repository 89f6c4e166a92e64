const kibibyte = 1024;

/** What all transfers of a process may hold together. */
const defaultTotalBytes = 20 * 1024 * kibibyte;
/** Most that one buffer of a transfer holds: the longer reads and writes are, the less their ends have to wake each other. */
const mostBytes = 1024 * kibibyte;
/** Least: with less than a segment a transfer would not move at all. Sockets hold so much anyway. */
const leastBytes = 64 * kibibyte;
/** Of what is left, a buffer may have so little that dozens of transfers keep to the total. */
const sharers = 16;

/**
 * Bytes on their way between clients and backends. Each buffer says what it holds and asks how much it may; the fuller the
 * budget, the less, so that many slow clients shrink each other's buffers long before they fill the memory. Nobody ever
 * waits for anybody else: what one buffer may at least hold is beyond the budget.
 */
export class FlowBudget {
  readonly #totalBytes: number;
  #heldBytes = 0;

  constructor(totalBytes = defaultTotalBytes) {
    this.#totalBytes = totalBytes;
  }

  /** For one of several processes that may together hold what one alone may. */
  static shareOf(processes: number): FlowBudget {
    return new FlowBudget(Math.floor(defaultTotalBytes / processes));
  }

  /** Held by all buffers together. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Where a buffer should take no more now: 64 KiB to 1 MiB. */
  get limitBytes(): number {
    const share = Math.floor((this.#totalBytes - this.#heldBytes) / sharers);
    return Math.max(leastBytes, Math.min(mostBytes, share));
  }

  /** A buffer took bytes. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** A buffer gave on, or dropped, bytes that it had taken. */
  letGo(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
