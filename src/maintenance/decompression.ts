import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

import type { ByteStream } from '../base/byte-stream.ts';
import type { SealedMetadata } from '../envelope/envelope.ts';
import { EnvelopeError } from '../envelope/envelope-error.ts';

/**
 * The client's bytes of a compressed payload, never more than were sealed as its length (docs/format/format-1.md, 8.2).
 * @throws EnvelopeError while it is iterated: `malformed` for what does not decompress, `size_mismatch` for another
 * length; errors of the source pass unchanged.
 */
export async function* decompressed(
  payload: ByteStream,
  { algorithm, originalBytes }: NonNullable<SealedMetadata['compression']>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = algorithm === 'gzip' ? createGunzip() : createZstdDecompress();
  const source = Readable.from(payload, { objectMode: false });
  // Piped by hand: `pipeline` would give the source's errors and the decoder's alike.
  source.once('error', (error) => decoder.destroy(error));
  decoder.once('close', () => source.destroy());
  let lengthBytes = 0;
  for await (const chunk of asMalformed(source.pipe(decoder))) {
    lengthBytes += chunk.length;
    if (lengthBytes > originalBytes) break;
    yield chunk;
  }
  if (lengthBytes !== originalBytes) {
    throw new EnvelopeError('size_mismatch', 'the decompressed object has another length than was sealed');
  }
}

/** Tells the errors of zlib, which have codes of their own, from those of the payload. */
async function* asMalformed(decoded: Readable): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of decoded) yield chunk;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^(Z|ZSTD)_/.test(String(error.code)))) throw error;
    throw new EnvelopeError('malformed', 'the payload does not decompress', { cause: error });
  }
}
