const space = /[ \t\n\r]*/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids exactly these characters in a string
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const maxDepth = 32;

/** Where a JSON text breaks off: both count from 1. */
export interface JsonPosition {
  readonly line: number;
  readonly column: number;
}

/**
 * The place where `text` stops being JSON (RFC 8259), or undefined where it is JSON of at most 32 levels.
 * JSON.parse would tell it too, but quotes the text around it, which in a keyring is key material.
 */
export function jsonErrorPosition(text: string): JsonPosition | undefined {
  const scanner = new Scanner(text);
  if (scanner.document()) return undefined;
  const before = text.slice(0, scanner.offset).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

/** Recursive descent without building anything; every method says whether it matched and moves `offset` past it. */
class Scanner {
  readonly #text: string;
  offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): boolean {
    return this.#value(0) && this.offset === this.#text.length;
  }

  #value(depth: number): boolean {
    this.#match(space);
    const opening = this.#text[this.offset];
    const matched =
      opening === '{'
        ? this.#members('}', () => this.#property(depth + 1), depth)
        : opening === '['
          ? this.#members(']', () => this.#value(depth + 1), depth)
          : opening === '"'
            ? this.#match(string)
            : this.#match(scalar);
    return matched && this.#match(space);
  }

  #members(closing: string, member: () => boolean, depth: number): boolean {
    if (depth >= maxDepth) return false;
    this.offset += 1;
    this.#match(space);
    if (this.#take(closing)) return true;
    do {
      if (!member()) return false;
    } while (this.#take(','));
    return this.#take(closing);
  }

  #property(depth: number): boolean {
    this.#match(space);
    return this.#match(string) && this.#match(space) && this.#take(':') && this.#value(depth);
  }

  #take(character: string): boolean {
    if (this.#text[this.offset] !== character) return false;
    this.offset += 1;
    return true;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.offset;
    const found = pattern.exec(this.#text);
    if (found === null) return false;
    this.offset += found[0].length;
    return true;
  }
}
