/** Pieces come out of slabs of this size, which are freed when nobody has a piece of them any more. */
const slabBytes = 4096;

let slab = new Uint8Array(slabBytes);
let given = 0;

/**
 * Zeroed memory outside of V8's heap, where secrets belong. An array of up to 64 bytes would be on the heap otherwise, which
 * leaves copies of it behind when it moves what it collects: none of them would ever be zeroed. It is cheaper too where the
 * bytes go to OpenSSL, which takes none from the heap. No piece is given out twice.
 */
export function offHeap(lengthBytes: number): Uint8Array {
  if (lengthBytes > slabBytes / 8) return new Uint8Array(lengthBytes);
  if (given + lengthBytes > slabBytes) {
    slab = new Uint8Array(slabBytes);
    given = 0;
  }
  const piece = slab.subarray(given, given + lengthBytes);
  given += lengthBytes;
  return piece;
}
