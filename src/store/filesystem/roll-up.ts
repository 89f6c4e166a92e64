/** Where a walk begins: at the first entry that is behind (key, id); with an empty id, at the key itself. */
export interface WalkStart {
  readonly key: Uint8Array;
  readonly id: string;
}

export interface RollUpRequest {
  readonly prefix: Uint8Array;
  /** Empty: nothing is rolled up. */
  readonly delimiter: Uint8Array;
  /** Common prefixes up to here are left out: they were on an earlier page. */
  readonly marker?: Uint8Array;
  readonly start: WalkStart;
  readonly limit: number;
}

export interface RolledUp<Entry> {
  readonly entries: readonly Entry[];
  readonly commonPrefixes: readonly Buffer[];
  readonly isTruncated: boolean;
  /** What the page ends with. */
  readonly last?: Entry | Buffer;
}

/**
 * One page of a listing over entries in byte order of their keys. Entries under a common prefix are not walked: the walk
 * jumps behind them, so that a page costs as many seeks as it has items, however many keys there are.
 * @param walk gives the entries from a start to the end of the prefix, lazily.
 */
export function rollUp<Entry extends { readonly key: Uint8Array }>(
  request: RollUpRequest,
  walk: (start: WalkStart, end: Uint8Array) => Iterable<Entry>,
): RolledUp<Entry> {
  const { prefix, delimiter, marker, limit } = request;
  const page = new Page<Entry>(limit);
  if (limit === 0) return page.result(false);
  const end = prefix.length === 0 ? Buffer.of(0xff) : behindAll(prefix);
  let start: WalkStart | undefined =
    Buffer.compare(request.start.key, prefix) < 0 ? { key: prefix, id: '' } : request.start;
  while (start !== undefined) {
    let next: WalkStart | undefined;
    for (const entry of walk(start, end)) {
      const common = commonPrefix(entry.key, prefix.length, delimiter);
      if (common === undefined) {
        if (!page.add(entry)) return page.result(true);
        continue;
      }
      const isNew = marker === undefined || Buffer.compare(common, marker) > 0;
      if (isNew && !page.addPrefix(common)) return page.result(true);
      next = { key: behindAll(common), id: '' };
      break;
    }
    start = next;
  }
  return page.result(false);
}

class Page<Entry> {
  readonly #entries: Entry[] = [];
  readonly #commonPrefixes: Buffer[] = [];
  readonly #limit: number;
  #last: Entry | Buffer | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when the page is full. */
  add(entry: Entry): boolean {
    if (this.#isFull()) return false;
    this.#entries.push(entry);
    this.#last = entry;
    return true;
  }

  addPrefix(prefix: Buffer): boolean {
    if (this.#isFull()) return false;
    this.#commonPrefixes.push(prefix);
    this.#last = prefix;
    return true;
  }

  result(isTruncated: boolean): RolledUp<Entry> {
    const last = this.#last;
    const page = { entries: this.#entries, commonPrefixes: this.#commonPrefixes, isTruncated };
    return last === undefined ? page : { ...page, last };
  }

  #isFull(): boolean {
    return this.#entries.length + this.#commonPrefixes.length >= this.#limit;
  }
}

/** The first bytes behind everything that begins with `prefix`. No byte of UTF-8 is 0xff, so there is no carry. */
function behindAll(prefix: Uint8Array): Buffer {
  const behind = Buffer.from(prefix);
  const last = behind.length - 1;
  behind[last] = (behind[last] ?? 0) + 1;
  return behind;
}

function commonPrefix(key: Uint8Array, prefixLength: number, delimiter: Uint8Array): Buffer | undefined {
  if (delimiter.length === 0) return undefined;
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const at = bytes.indexOf(delimiter, prefixLength);
  return at < 0 ? undefined : bytes.subarray(0, at + delimiter.length);
}

/** The smallest bytes behind `key` itself. */
export function behind(key: Uint8Array): Buffer {
  return Buffer.concat([key, Buffer.of(0)]);
}
