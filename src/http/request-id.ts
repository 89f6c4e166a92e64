import { randomFillSync } from 'node:crypto';

const idBytes = 8;
/** Random bytes are fetched for 512 ids at once: the call costs far more than the bytes. */
const pool = Buffer.alloc(512 * idBytes);
let used = pool.length;

/** A fresh request id: 16 upper-case hexadecimal digits from the operating system's generator. */
export function createRequestId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString('hex', used, used + idBytes).toUpperCase();
  used += idBytes;
  return id;
}
