import { createRequire } from 'node:module';
import { crc32 as zlibCrc32 } from 'node:zlib';

/** Goes on with a CRC over more bytes: `previous` is the CRC of what came before, 0 at the start. */
export type Crc32Function = (bytes: Uint8Array, previous: number) => number;

interface Crc32Functions {
  readonly crc32: Crc32Function;
  readonly crc32c: Crc32Function;
}

/** CRC-32 and CRC-32C where there is no native module for the platform: the first from zlib, the second in JavaScript. */
export const portableCrc32Functions: Crc32Functions = {
  crc32: (bytes, previous) => zlibCrc32(bytes, previous),
  crc32c: portableCrc32c,
};

let loaded: Crc32Functions | undefined;

/** The fastest functions that the platform has: those of the optional package `@node-rs/crc32`, else the portable ones. */
export function crc32Functions(): Crc32Functions {
  loaded ??= loadNative() ?? portableCrc32Functions;
  return loaded;
}

function loadNative(): Crc32Functions | undefined {
  let native: unknown;
  try {
    native = createRequire(import.meta.url)('@node-rs/crc32');
  } catch {
    return undefined; // optional: not installed, or no build for this platform
  }
  return isCrc32Functions(native) ? native : undefined;
}

function isCrc32Functions(value: unknown): value is Crc32Functions {
  if (typeof value !== 'object' || value === null || !('crc32' in value) || !('crc32c' in value)) return false;
  return typeof value.crc32 === 'function' && typeof value.crc32c === 'function';
}

/** The Castagnoli polynomial (RFC 3720, appendix B.4), bits reversed. */
const castagnoli = 0x82f63b78;
const slices = 16;
let tables: Int32Array | undefined;

/** `table[256 · k + n]` is the CRC of byte `n` with `k` zero bytes behind it, so that 16 bytes take one step. */
function crc32cTables(): Int32Array {
  const table = new Int32Array(256 * slices);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ castagnoli : crc >>> 1;
    table[byte] = crc;
  }
  for (let index = 256; index < table.length; index++) {
    const shorter = table[index - 256]!;
    table[index] = (shorter >>> 8) ^ table[shorter & 0xff]!;
  }
  return table;
}

function portableCrc32c(bytes: Uint8Array, previous: number): number {
  const t = (tables ??= crc32cTables());
  const b = bytes;
  let crc = ~previous;
  let i = 0;
  for (const end = b.length - slices; i <= end; i += slices) {
    crc =
      t[0xf00 + ((crc ^ b[i]!) & 0xff)]! ^
      t[0xe00 + (((crc >>> 8) ^ b[i + 1]!) & 0xff)]! ^
      t[0xd00 + (((crc >>> 16) ^ b[i + 2]!) & 0xff)]! ^
      t[0xc00 + ((crc >>> 24) ^ b[i + 3]!)]! ^
      t[0xb00 + b[i + 4]!]! ^
      t[0xa00 + b[i + 5]!]! ^
      t[0x900 + b[i + 6]!]! ^
      t[0x800 + b[i + 7]!]! ^
      t[0x700 + b[i + 8]!]! ^
      t[0x600 + b[i + 9]!]! ^
      t[0x500 + b[i + 10]!]! ^
      t[0x400 + b[i + 11]!]! ^
      t[0x300 + b[i + 12]!]! ^
      t[0x200 + b[i + 13]!]! ^
      t[0x100 + b[i + 14]!]! ^
      t[b[i + 15]!]!;
  }
  for (; i < b.length; i++) crc = (crc >>> 8) ^ t[(crc ^ b[i]!) & 0xff]!;
  return ~crc >>> 0;
}
