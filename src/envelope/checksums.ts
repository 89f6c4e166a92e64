import { EnvelopeError } from './envelope-error.ts';
import { malformed, u8, type FieldReader } from './field-reader.ts';

/** Checksum algorithms that S3 knows, with their length in bytes. The order is that of their ids, which start at 1. */
const algorithms = [
  { name: 'crc32', bytes: 4 },
  { name: 'crc32c', bytes: 4 },
  { name: 'crc64nvme', bytes: 8 },
  { name: 'sha1', bytes: 20 },
  { name: 'sha256', bytes: 32 },
  { name: 'md5', bytes: 16 },
  { name: 'sha512', bytes: 64 },
  { name: 'xxhash64', bytes: 8 },
  { name: 'xxhash3', bytes: 8 },
  { name: 'xxhash128', bytes: 16 },
] as const;

const types = ['full-object', 'composite'] as const;

/** Name of a checksum algorithm. */
export type ChecksumAlgorithm = (typeof algorithms)[number]['name'];

/** A checksum of the client's bytes, as it is sealed with the object. */
export interface SealedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** `composite`: over the checksums of the parts. */
  readonly type: (typeof types)[number];
  /** The raw digest, big-endian; a composite one without its part count. */
  readonly value: Uint8Array;
}

/** Longest encoded list (F1-SUM-2): the first six algorithms once. The room in envelope and index follows from it. */
export const maxChecksumsBytes = 97;

/**
 * Encodes a list in the order of ids.
 * @throws RangeError for an algorithm given twice, a value of another length, or more than there is room for.
 */
export function encodeChecksums(checksums: readonly SealedChecksum[]): Uint8Array {
  const entries = checksums
    .map(({ algorithm, type, value }) => ({ id: algorithms.findIndex(({ name }) => name === algorithm), type, value }))
    .toSorted((a, b) => a.id - b.id);
  const encoded: Uint8Array[] = [u8(entries.length)];
  for (const [index, { id, type, value }] of entries.entries()) {
    if (algorithms[id]?.bytes !== value.length)
      throw new RangeError('a checksum has another length than its algorithm');
    if (entries[index - 1]?.id === id) throw new RangeError('a checksum algorithm is given twice');
    encoded.push(Buffer.of(id + 1, types.indexOf(type)), value);
  }
  const list = Buffer.concat(encoded);
  if (list.length > maxChecksumsBytes) throw new RangeError('the checksums are too long together');
  return list;
}

/** Reads a list: known ids, strictly ascending, known types (F1-SUM-1). */
export function decodeChecksums(reader: FieldReader): readonly SealedChecksum[] {
  const checksums: SealedChecksum[] = [];
  let previousId = 0;
  for (let left = reader.u8(); left > 0; left -= 1) {
    const id = reader.u8();
    const algorithm = algorithms[id - 1];
    if (algorithm === undefined) throw new EnvelopeError('unsupported', `checksum algorithm ${id} is not known`);
    const type = types[reader.u8()];
    if (id <= previousId || type === undefined) throw malformed('checksums are not in canonical form');
    previousId = id;
    checksums.push({ algorithm: algorithm.name, type, value: reader.bytes(algorithm.bytes) });
  }
  return checksums;
}
