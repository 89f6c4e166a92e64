/** CRCs of joined pieces from the CRCs of the pieces, without their bytes. */

/** The algorithms that can be combined: those whose checksum of a multipart object S3 calls FULL_OBJECT. */
export type CrcAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME';

/** Whether the checksum of joined pieces follows from those of the pieces. */
export function isCrc(algorithm: string): algorithm is CrcAlgorithm {
  return Object.hasOwn(fields, algorithm);
}

/** A piece by its CRC (big-endian) and its length. */
export interface CrcPiece {
  readonly value: Uint8Array;
  readonly lengthBytes: number;
}

/** Polynomials with the coefficient of the highest power in the lowest bit, as these CRCs reflect their bits. */
const fields: Readonly<Record<CrcAlgorithm, { readonly bits: number; readonly polynomial: bigint }>> = {
  CRC32: { bits: 32, polynomial: 0xedb88320n },
  CRC32C: { bits: 32, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64, polynomial: 0x9a6c9329ac4bc9b5n },
};

/**
 * The CRC of the pieces one after the other. A CRC is a remainder of polynomials over GF(2), so the one of `a ‖ b` is
 * that of `a` times x^(8·|b|) plus that of `b`; the ones that these CRCs start and end with cancel out.
 */
export function combineCrcs(algorithm: CrcAlgorithm, pieces: readonly CrcPiece[]): Buffer {
  const field = new CrcField(algorithm);
  let crc = 0n;
  for (const { value, lengthBytes } of pieces) crc = field.shift(crc, lengthBytes) ^ toBigInt(value);
  const digits = crc.toString(16).padStart(fields[algorithm].bits / 4, '0');
  return Buffer.from(digits, 'hex');
}

/** Remainders modulo the polynomial of one CRC. */
class CrcField {
  readonly #polynomial: bigint;
  readonly #highest: bigint;
  /** x^(2^k); the first is x itself. */
  readonly #squares: bigint[];
  /** By length: the products of x^(8·length) with every power of x, so that a shift is a sum of some of them. */
  readonly #shifts = new Map<number, readonly bigint[]>();

  constructor(algorithm: CrcAlgorithm) {
    const { bits, polynomial } = fields[algorithm];
    this.#polynomial = polynomial;
    this.#highest = 1n << BigInt(bits - 1);
    this.#squares = [this.#highest >> 1n];
  }

  /** A CRC behind whose bytes `lengthBytes` zeros follow. Parts have few different lengths, so each is worked out once. */
  shift(crc: bigint, lengthBytes: number): bigint {
    const products = this.#shifts.get(lengthBytes) ?? this.#multiples(this.#powerOfX(BigInt(lengthBytes) * 8n));
    this.#shifts.set(lengthBytes, products);
    let shifted = 0n;
    let bit = this.#highest;
    for (const product of products) {
      if ((crc & bit) !== 0n) shifted ^= product;
      bit >>= 1n;
    }
    return shifted;
  }

  #multiples(factor: bigint): readonly bigint[] {
    const products: bigint[] = [];
    let product = factor;
    for (let bit = this.#highest; bit !== 0n; bit >>= 1n) {
      products.push(product);
      product = this.#timesX(product);
    }
    return products;
  }

  #powerOfX(exponent: bigint): bigint {
    let power = this.#highest; // x^0
    for (let index = 0; exponent >> BigInt(index) !== 0n; index++) {
      if (((exponent >> BigInt(index)) & 1n) === 1n) power = this.#product(power, this.#square(index));
    }
    return power;
  }

  #square(index: number): bigint {
    const known = this.#squares[index];
    if (known !== undefined) return known;
    const previous = this.#square(index - 1);
    const square = this.#product(previous, previous);
    this.#squares.push(square);
    return square;
  }

  #product(left: bigint, right: bigint): bigint {
    let product = 0n;
    let multiple = right;
    for (let bit = this.#highest; bit !== 0n; bit >>= 1n) {
      if ((left & bit) !== 0n) product ^= multiple;
      multiple = this.#timesX(multiple);
    }
    return product;
  }

  #timesX(value: bigint): bigint {
    return (value & 1n) === 1n ? (value >> 1n) ^ this.#polynomial : value >> 1n;
  }
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
