import { createHash } from 'node:crypto';

import type { ByteStream } from '../base/byte-stream.ts';
import { CodedError } from '../base/coded-error.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import { createChecksum, parseChecksumAlgorithm, type Checksum } from '../s3/checksum.ts';

/** Bytes that are authentic but are not those of the checksum that the client gave with them. */
class ChecksumMismatchError extends CodedError<'checksum_mismatch'> {}

/**
 * The same stream; where it ends, every checksum of the whole object is compared. A composite checksum is over checksums
 * of parts and is left out.
 * @throws ChecksumMismatchError at the end of the iteration.
 */
export async function* verifyingChecksums(
  source: ByteStream,
  checksums: readonly SealedChecksum[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const running = checksums
    .filter(({ type }) => type === 'full-object')
    .map((expected) => ({ expected, checksum: start(expected.algorithm) }));
  for await (const chunk of source) {
    for (const { checksum } of running) checksum.update(chunk);
    yield chunk;
  }
  for (const { expected, checksum } of running) {
    if (Buffer.compare(checksum.digest(), expected.value) === 0) continue;
    const name = expected.algorithm.toUpperCase();
    throw new ChecksumMismatchError('checksum_mismatch', `the bytes do not have the ${name} that was stored with them`);
  }
}

function start(algorithm: SealedChecksum['algorithm']): Checksum {
  if (algorithm === 'md5') return createHash('md5');
  const known = parseChecksumAlgorithm(algorithm);
  if (known === undefined) throw new RangeError(`checksum ${algorithm} cannot be computed`);
  return createChecksum(known);
}
