import { checksumAlgorithms, parseChecksumAlgorithm, type ChecksumAlgorithm } from '../s3/checksum.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { UploadChecksum } from '../uploads/upload-ledger.ts';

type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** The types that an algorithm can have for a multipart object; the first is its default. */
const types: Readonly<Record<ChecksumAlgorithm, readonly UploadChecksum['type'][]>> = {
  CRC32: ['COMPOSITE', 'FULL_OBJECT'],
  CRC32C: ['COMPOSITE', 'FULL_OBJECT'],
  CRC64NVME: ['FULL_OBJECT'],
  MD5: ['COMPOSITE'],
  SHA1: ['COMPOSITE'],
  SHA256: ['COMPOSITE'],
  SHA512: ['COMPOSITE'],
  XXHASH128: ['COMPOSITE'],
  XXHASH3: ['COMPOSITE'],
  XXHASH64: ['COMPOSITE'],
};

/**
 * The checksum that a CreateMultipartUpload asks for by `x-amz-checksum-algorithm` and `x-amz-checksum-type`.
 * @throws S3Error InvalidRequest.
 */
export function requestedUploadChecksum(headers: RequestHeaders): UploadChecksum | undefined {
  const algorithm = requestedAlgorithm(headers);
  const asked = requestedChecksumType(headers);
  if (algorithm === undefined) {
    if (asked === undefined) return undefined;
    throw s3Error(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    );
  }
  const [byDefault = 'FULL_OBJECT'] = types[algorithm];
  const type = asked ?? byDefault;
  if (types[algorithm].includes(type)) return { algorithm, type };
  throw s3Error(
    'InvalidRequest',
    `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  );
}

/**
 * The algorithm that `x-amz-checksum-algorithm` names.
 * @throws S3Error InvalidRequest for one that is not known.
 */
export function requestedAlgorithm(headers: RequestHeaders): ChecksumAlgorithm | undefined {
  const text = headers['x-amz-checksum-algorithm'];
  if (text === undefined) return undefined;
  const algorithm = parseChecksumAlgorithm(text.trim());
  if (algorithm !== undefined) return algorithm;
  throw s3Error(
    'InvalidRequest',
    `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${checksumAlgorithms.join(', ')}]`,
  );
}

/**
 * The type that `x-amz-checksum-type` names.
 * @throws S3Error InvalidRequest for one that is not known.
 */
export function requestedChecksumType(headers: RequestHeaders): UploadChecksum['type'] | undefined {
  const text = headers['x-amz-checksum-type']?.trim().toUpperCase();
  if (text === undefined || text === 'COMPOSITE' || text === 'FULL_OBJECT') return text;
  throw s3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
}

/** What a request brings has to be of the algorithm that the upload was created with. */
export function checksumMismatch(expected: ChecksumAlgorithm, actual: ChecksumAlgorithm | undefined): Error {
  const shown = actual === undefined ? 'null' : actual.toLowerCase();
  return s3Error(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${shown}`,
  );
}
