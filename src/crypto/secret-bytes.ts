import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

import { offHeap } from './off-heap.ts';

const redacted = '[secret]';

/**
 * Key material: never prints (string, JSON, inspect), compares in constant time, zeroed on `dispose`.
 * Takes ownership of the given memory, which is outside of V8's heap (`offHeap`, or made by OpenSSL). Use after dispose
 * throws.
 */
export class SecretBytes implements Disposable {
  #bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A copy of `bytes` under its own lifetime; the source is left as it is. */
  static copyOf(bytes: Uint8Array): SecretBytes {
    const copy = offHeap(bytes.length);
    copy.set(bytes);
    return new SecretBytes(copy);
  }

  /** The memory itself, not a copy: do not keep it past the call that needs it. */
  get bytes(): Uint8Array {
    if (this.#bytes === undefined) throw new Error('secret used after it was disposed');
    return this.#bytes;
  }

  get disposed(): boolean {
    return this.#bytes === undefined;
  }

  /** An independent secret with the same bytes. */
  clone(): SecretBytes {
    return SecretBytes.copyOf(this.bytes);
  }

  /** Constant-time comparison (for equal lengths). */
  equals(other: SecretBytes): boolean {
    return this.bytes.length === other.bytes.length && timingSafeEqual(this.bytes, other.bytes);
  }

  /** Zeroes the memory; calling it again does nothing. */
  dispose(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
