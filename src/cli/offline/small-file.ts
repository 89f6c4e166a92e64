import { createReadStream } from 'node:fs';

import type { ByteStream } from '../../base/byte-stream.ts';
import { readAll } from '../../base/streams.ts';
import { MetadataError } from './metadata-document.ts';

/** S3 allows 2 KiB of user metadata; what tools add to it is not much more. */
const maxBytes = 1024 * 1024;

/**
 * Reads a metadata file; `-` is standard input.
 * @throws MetadataError for one of more than 1 MiB; the system's error.
 */
export function readSmallFile(path: string): Promise<Uint8Array> {
  const source: ByteStream = path === '-' ? process.stdin : createReadStream(path);
  return readAll(source, maxBytes, () => new MetadataError(`${path} is larger than any metadata`));
}
