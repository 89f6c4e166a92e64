import { createHash } from 'node:crypto';
import {
  checksumHeaderName,
  checksumHeaders,
  createChecksum,
  parseBase64,
  parseChecksumAlgorithm,
  parseChecksumValue,
  type Checksum,
  type ChecksumAlgorithm,
} from './checksum.ts';
import { s3Error, type S3Error } from './s3-error.ts';

/** A checksum of a body's plaintext that the client gave. */
export interface PayloadChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: Buffer;
  readonly source: 'header' | 'trailer';
}

/** What a client says of a body's plaintext, validated but not yet compared. */
export interface PayloadExpectations {
  /** From `x-amz-content-sha256`. */
  readonly sha256: Buffer | undefined;
  /** From `Content-MD5`. */
  readonly md5: Buffer | undefined;
  /** From the one `x-amz-checksum-*` header. */
  readonly checksum: PayloadChecksum | undefined;
  /** Algorithm of the one checksum that `x-amz-trailer` announces. */
  readonly trailer: ChecksumAlgorithm | undefined;
}

/** Header names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** Headers of the family that carry no value of a checksum. */
const notValues = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type']);

/** @throws S3Error InvalidDigest when `Content-MD5` is not base64 of 16 bytes. */
export function parseContentMd5(headers: RequestHeaders): Buffer | undefined {
  const header = headers['content-md5'];
  if (header === undefined) return undefined;
  const md5 = parseBase64(header.trim(), 16);
  if (md5 === undefined) throw s3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.');
  return md5;
}

/**
 * The checksum that a body comes with: at most one, in a header or announced as trailer.
 * @throws S3Error InvalidRequest (several, a malformed value, `x-amz-sdk-checksum-algorithm` without one), BadDigest
 * (`x-amz-sdk-checksum-algorithm` names another), NotImplemented (an algorithm that is not known).
 */
export function parseChecksumHeaders(
  headers: RequestHeaders,
  trailer: ChecksumAlgorithm | undefined,
): PayloadChecksum | undefined {
  const names = Object.keys(headers).filter(
    (name) => name.startsWith('x-amz-checksum-') && !notValues.has(name) && headers[name] !== undefined,
  );
  const [name] = names;
  if (names.length + (trailer === undefined ? 0 : 1) > 1) {
    throw s3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  const checksum = name === undefined ? undefined : parseChecksumHeader(name, headers[name] ?? '');
  checkSdkAlgorithm(headers['x-amz-sdk-checksum-algorithm'], checksum?.algorithm ?? trailer);
  return checksum;
}

function parseChecksumHeader(name: string, text: string): PayloadChecksum {
  const algorithm = checksumHeaders.get(name);
  if (algorithm === undefined) throw s3Error('NotImplemented', `The header ${name} is not implemented.`);
  const value = parseChecksumValue(algorithm, text.trim());
  if (value === undefined) throw s3Error('InvalidRequest', `Value for ${name} header is invalid.`);
  return { algorithm, value, source: 'header' };
}

function checkSdkAlgorithm(header: string | undefined, given: ChecksumAlgorithm | undefined): void {
  if (header === undefined) return;
  const named = parseChecksumAlgorithm(header.trim());
  if (named === undefined) {
    throw s3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
  if (given === undefined) {
    throw s3Error(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  // PutObject in the S3 API reference: "Amazon S3 fails the request with a BadDigest error".
  if (given !== named) throw s3Error('BadDigest', `The checksum given is not of the algorithm ${named}.`);
}

/** Hashes a body's plaintext piece by piece, each algorithm that is asked for once, and compares at its end. */
export class PayloadVerifier {
  readonly #expected: PayloadExpectations;
  readonly #running = new Map<ChecksumAlgorithm, Checksum>();
  readonly #md5: Checksum | undefined;
  readonly #hashes: readonly Checksum[];

  constructor(expected: PayloadExpectations) {
    this.#expected = expected;
    this.#md5 = expected.md5 === undefined ? undefined : createHash('md5');
    const algorithms = [
      expected.sha256 === undefined ? undefined : ('SHA256' as const),
      expected.checksum?.algorithm,
      expected.trailer,
    ];
    for (const algorithm of algorithms) {
      if (algorithm === undefined || this.#running.has(algorithm)) continue;
      this.#running.set(algorithm, createChecksum(algorithm));
    }
    this.#hashes = [...this.#running.values(), ...(this.#md5 === undefined ? [] : [this.#md5])];
  }

  update(piece: Uint8Array): void {
    for (const running of this.#hashes) running.update(piece);
  }

  /**
   * Compares everything; to be called once, after the last piece.
   * @param trailerValue The announced trailer's value, base64.
   * @returns The checksums that hold.
   * @throws S3Error XAmzContentSHA256Mismatch, BadDigest, InvalidRequest (a malformed trailer value).
   */
  finish(trailerValue: string | undefined): readonly PayloadChecksum[] {
    const { sha256, md5, checksum, trailer } = this.#expected;
    const trailing = trailer === undefined ? undefined : parseTrailerValue(trailer, trailerValue ?? '');
    const computed = new Map([...this.#running].map(([algorithm, running]) => [algorithm, running.digest()]));
    if (sha256 !== undefined) checkSha256(sha256, computed.get('SHA256'));
    if (md5 !== undefined) checkMd5(md5, this.#md5?.digest());
    const given = [checksum, trailing].filter((each) => each !== undefined);
    for (const { algorithm, value } of given) {
      if (computed.get(algorithm)?.equals(value) === true) continue;
      throw s3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
    }
    return given;
  }
}

function parseTrailerValue(algorithm: ChecksumAlgorithm, text: string): PayloadChecksum {
  const value = parseChecksumValue(algorithm, text);
  if (value === undefined) {
    throw s3Error('InvalidRequest', `Value for ${checksumHeaderName(algorithm)} trailing header is invalid.`);
  }
  return { algorithm, value, source: 'trailer' };
}

function checkSha256(expected: Buffer, computed: Buffer | undefined): void {
  if (computed?.equals(expected) === true) return;
  throw s3Error('XAmzContentSHA256Mismatch', undefined, {
    details: {
      ClientComputedContentSHA256: expected.toString('hex'),
      S3ComputedContentSHA256: computed?.toString('hex') ?? '',
    },
  });
}

function checkMd5(expected: Buffer, computed: Buffer | undefined): void {
  if (computed?.equals(expected) === true) return;
  throw badMd5(expected, computed);
}

function badMd5(expected: Buffer, computed: Buffer | undefined): S3Error {
  return s3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
    details: { ExpectedDigest: expected.toString('base64'), CalculatedDigest: computed?.toString('base64') ?? '' },
  });
}
