import { createXXHash128, createXXHash3, createXXHash64, type IHasher } from 'hash-wasm';

/** The members of the xxHash family that S3 takes checksums of, with its names. */
export type XxhashAlgorithm = 'XXHASH64' | 'XXHASH3' | 'XXHASH128';

/** One WebAssembly instance an algorithm, shared by all that run: each puts its own state in before it goes on. */
const hashers: Readonly<Record<XxhashAlgorithm, IHasher>> = {
  XXHASH64: await createXXHash64(),
  XXHASH3: await createXXHash3(),
  XXHASH128: await createXXHash128(),
};

/** A running xxHash with seed 0. */
export class Xxhash {
  readonly #hasher: IHasher;
  #state: Uint8Array;

  constructor(algorithm: XxhashAlgorithm) {
    this.#hasher = hashers[algorithm];
    this.#state = this.#hasher.init().save();
  }

  update(bytes: Uint8Array): void {
    this.#hasher.load(this.#state).update(bytes);
    this.#state = this.#hasher.save();
  }

  /** Big-endian, as S3 writes it; to be called once. */
  digest(): Buffer {
    return Buffer.from(this.#hasher.load(this.#state).digest('binary'));
  }
}
