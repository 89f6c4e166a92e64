/** Looks for any run of one byte string inside another, at any alignment of either. */

const runBytes = 32;
/** Every run of 32 bytes holds a block of 16 that is aligned in the string it comes from. */
const blockBytes = 16;
const filterBits = 2 ** 24;

/** Where a run was found. */
export interface SharedRun {
  readonly needleOffset: number;
  readonly haystackOffset: number;
  readonly lengthBytes: number;
}

/** The aligned blocks of a text that is looked for; made once, used for many files. */
export class Needle {
  readonly #bytes: Buffer;
  /** Whether a block may begin with this word: a first, cheap look. */
  readonly #filter = new Uint8Array(filterBits / 8);
  /** Offsets of blocks by their first word. */
  readonly #blocks = new Map<number, number[]>();

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    for (let offset = 0; offset + blockBytes <= bytes.length; offset += blockBytes) {
      const word = bytes.readUInt32LE(offset);
      const bit = word % filterBits;
      this.#filter[bit >>> 3] = (this.#filter[bit >>> 3] ?? 0) | (1 << (bit & 7));
      const known = this.#blocks.get(word);
      if (known === undefined) this.#blocks.set(word, [offset]);
      else known.push(offset);
    }
  }

  /** The first run of 32 bytes or more that stands in both; undefined where there is none. */
  findIn(haystack: Buffer): SharedRun | undefined {
    for (let offset = 0; offset + blockBytes <= haystack.length; offset++) {
      const word = haystack.readUInt32LE(offset);
      const bit = word % filterBits;
      if (((this.#filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) continue;
      for (const needleOffset of this.#blocks.get(word) ?? []) {
        const run = this.#extend(haystack, needleOffset, offset);
        if (run.lengthBytes >= runBytes) return run;
      }
    }
    return undefined;
  }

  /** The whole run around two places that may be alike. */
  #extend(haystack: Buffer, needleOffset: number, haystackOffset: number): SharedRun {
    const needle = this.#bytes;
    let before = 0;
    const mostBefore = Math.min(needleOffset, haystackOffset);
    while (before < mostBefore && needle[needleOffset - before - 1] === haystack[haystackOffset - before - 1]) before++;
    let after = 0;
    const mostAfter = Math.min(needle.length - needleOffset, haystack.length - haystackOffset);
    while (after < mostAfter && needle[needleOffset + after] === haystack[haystackOffset + after]) after++;
    // A run that stops before the block ends is none: the first word may be alike by chance.
    const lengthBytes = after === 0 ? 0 : before + after;
    return { needleOffset: needleOffset - before, haystackOffset: haystackOffset - before, lengthBytes };
  }
}

/** Bytes of both, combined by exclusive or, as long as the shorter one. */
export function xor(left: Buffer, right: Buffer): Buffer {
  const result = Buffer.alloc(Math.min(left.length, right.length));
  for (let index = 0; index < result.length; index++) result[index] = (left[index] ?? 0) ^ (right[index] ?? 0);
  return result;
}
