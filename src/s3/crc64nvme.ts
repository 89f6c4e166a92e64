/** The polynomial of the NVM Express command set specification, bits reversed, as two halves of 32 bits. */
const polynomialHigh = 0x9a6c9329;
const polynomialLow = 0xac4bc9b5;
const slices = 8;

interface Tables {
  readonly high: Int32Array;
  readonly low: Int32Array;
}

let tables: Tables | undefined;

/** Entry `256 · k + n` is the CRC of byte `n` with `k` zero bytes behind it, so that 8 bytes take one step. */
function crc64Tables(): Tables {
  const high = new Int32Array(256 * slices);
  const low = new Int32Array(256 * slices);
  for (let byte = 0; byte < 256; byte++) {
    let h = 0;
    let l = byte;
    for (let bit = 0; bit < 8; bit++) {
      const carry = (l & 1) === 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (carry) {
        h ^= polynomialHigh;
        l ^= polynomialLow;
      }
    }
    high[byte] = h;
    low[byte] = l;
  }
  for (let index = 256; index < high.length; index++) {
    const h = high[index - 256]!;
    const l = low[index - 256]!;
    high[index] = (h >>> 8) ^ high[l & 0xff]!;
    low[index] = ((l >>> 8) | (h << 24)) ^ low[l & 0xff]!;
  }
  return { high, low };
}

/**
 * CRC-64/NVME over pieces, in halves of 32 bits: BigInt arithmetic a byte would be about a hundred times slower.
 * Check value of `123456789`: ae8b14860a799888.
 */
export class Crc64Nvme {
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): void {
    const { high: th, low: tl } = (tables ??= crc64Tables());
    const b = bytes;
    let h = this.#high;
    let l = this.#low;
    let i = 0;
    for (const end = b.length - slices; i <= end; i += slices) {
      const i0 = 0x700 + ((l ^ b[i]!) & 0xff);
      const i1 = 0x600 + (((l >>> 8) ^ b[i + 1]!) & 0xff);
      const i2 = 0x500 + (((l >>> 16) ^ b[i + 2]!) & 0xff);
      const i3 = 0x400 + ((l >>> 24) ^ b[i + 3]!);
      const i4 = 0x300 + ((h ^ b[i + 4]!) & 0xff);
      const i5 = 0x200 + (((h >>> 8) ^ b[i + 5]!) & 0xff);
      const i6 = 0x100 + (((h >>> 16) ^ b[i + 6]!) & 0xff);
      const i7 = (h >>> 24) ^ b[i + 7]!;
      h = th[i0]! ^ th[i1]! ^ th[i2]! ^ th[i3]! ^ th[i4]! ^ th[i5]! ^ th[i6]! ^ th[i7]!;
      l = tl[i0]! ^ tl[i1]! ^ tl[i2]! ^ tl[i3]! ^ tl[i4]! ^ tl[i5]! ^ tl[i6]! ^ tl[i7]!;
    }
    for (; i < b.length; i++) {
      const index = (l ^ b[i]!) & 0xff;
      l = ((l >>> 8) | (h << 24)) ^ tl[index]!;
      h = (h >>> 8) ^ th[index]!;
    }
    this.#high = h;
    this.#low = l;
  }

  /** The CRC of what came so far, 8 bytes big-endian. */
  digest(): Buffer {
    const digest = Buffer.allocUnsafe(8);
    digest.writeUInt32BE(~this.#high >>> 0, 0);
    digest.writeUInt32BE(~this.#low >>> 0, 4);
    return digest;
  }
}
