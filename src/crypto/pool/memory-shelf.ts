/**
 * Memory of outputs that were released, for the outputs to come. Fresh memory would be cleared by the kernel page by page:
 * that took as long as the cipher.
 */
export class MemoryShelf {
  readonly #maxBytes: number;
  #buffers: ArrayBuffer[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A buffer of exactly that length, if there is one; what is in it is to be overwritten whole. */
  take(lengthBytes: number): ArrayBuffer | undefined {
    const index = this.#buffers.findLastIndex(({ byteLength }) => byteLength === lengthBytes);
    if (index < 0) return undefined;
    const [buffer] = this.#buffers.splice(index, 1);
    this.#heldBytes -= lengthBytes;
    return buffer;
  }

  /** Keeps a buffer that has no other reference; the ones kept longest give way to it. */
  give(buffer: ArrayBuffer): void {
    this.#buffers.push(buffer);
    this.#heldBytes += buffer.byteLength;
    while (this.#heldBytes > this.#maxBytes) {
      const oldest = this.#buffers.shift();
      if (oldest === undefined) return;
      this.#heldBytes -= oldest.byteLength;
      oldest.transfer(0);
    }
  }

  /** Frees all. */
  clear(): void {
    for (const buffer of this.#buffers) buffer.transfer(0);
    this.#buffers = [];
    this.#heldBytes = 0;
  }
}
