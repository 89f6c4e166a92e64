/** Writes a number from 0 to 2^53 - 1 as a big-endian u64. */
export function writeU64(bytes: Buffer, value: number, offset: number): void {
  // Bitwise operators end at 2^32.
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  bytes.writeUInt32BE(value % 2 ** 32, offset + 4);
}
