import { writeU64 } from '../base/write-u64.ts';
import { EnvelopeError } from './envelope-error.ts';

const highWord = 2 ** 32;

/** Reads big-endian fields one after the other; never past the end, and copies nothing. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Position of the next field. */
  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  /** A u64 of at most `maximum`, which is below 2^53. */
  u64(maximum: number): number {
    const offset = this.#advance(8);
    const value = this.#view.getUint32(offset) * highWord + this.#view.getUint32(offset + 4);
    if (value > maximum) throw malformed('a length is out of bounds');
    return value;
  }

  bytes(length: number): Uint8Array {
    const offset = this.#advance(length);
    return this.#bytes.subarray(offset, offset + length);
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#offset);
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.#offset !== this.#bytes.length) throw malformed('bytes after the last field');
  }

  #advance(length: number): number {
    const offset = this.#offset;
    if (length > this.#bytes.length - offset) throw malformed('a field is cut off');
    this.#offset = offset + length;
    return offset;
  }
}

/** `malformed` with the given message. */
export function malformed(message: string): EnvelopeError {
  return new EnvelopeError('malformed', message);
}

/** A u8. */
export function u8(value: number): Buffer {
  return Buffer.of(value);
}

/** A big-endian u16. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** A big-endian u32. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A big-endian u64 of a safe integer. */
export function u64(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer`);
  const bytes = Buffer.alloc(8);
  writeU64(bytes, value, 0);
  return bytes;
}
