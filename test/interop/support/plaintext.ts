/** Plaintext that a test can tell from everything else: random by a seed, with lines of text in it, without long runs. */
import { createCipheriv, createHash, randomInt } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';

/** Seed of this run: `S3EG_TEST_SEED`, or a new one; printed, so that a failure can be repeated. */
const seed = process.env['S3EG_TEST_SEED'] ?? String(randomInt(2 ** 32));
console.error(`S3EG_TEST_SEED=${seed}`);

/** An endless stream of bytes that follows from the seed and a name. */
class SeededBytes {
  readonly #cipher;

  constructor(name: string) {
    const key = createHash('sha256').update(`${seed} ${name}`).digest();
    this.#cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  }

  next(lengthBytes: number): Buffer {
    return this.#cipher.update(Buffer.alloc(lengthBytes));
  }
}

/** Random bytes that follow from the seed and a name. */
export function randomBytesOf(name: string, lengthBytes: number): Buffer {
  return new SeededBytes(name).next(lengthBytes);
}

/** Random bytes with a line of text at each 4 KiB: what an eye would look for in a backend's files. */
export function plaintext(name: string, lengthBytes: number): Buffer {
  const bytes = randomBytesOf(name, lengthBytes);
  const line = Buffer.from(`\nthis line of ${name} must never be seen by a provider\n`);
  for (let offset = 0; offset + line.length <= bytes.length; offset += 4096) line.copy(bytes, offset);
  return bytes;
}

/** Writes seeded random bytes of any length to a file. */
export async function writePlaintext(path: string, name: string, lengthBytes: number): Promise<void> {
  const source = new SeededBytes(name);
  const file = createWriteStream(path);
  for (let left = lengthBytes; left > 0; left -= 1024 * 1024) {
    if (!file.write(source.next(Math.min(left, 1024 * 1024)))) await once(file, 'drain');
  }
  file.end();
  await finished(file);
}

/** Whole numbers that follow from the seed and a name. */
export class SeededNumbers {
  readonly #bytes: SeededBytes;

  constructor(name: string) {
    this.#bytes = new SeededBytes(`numbers ${name}`);
  }

  /** One of `first` … `last`. */
  between(first: number, last: number): number {
    return first + (this.#bytes.next(6).readUIntBE(0, 6) % (last - first + 1));
  }
}
