import type { ByteIterator, ByteStream } from '../base/byte-stream.ts';
import { AwsChunkedDecoder, type ChunkSigning } from './aws-chunked.ts';
import { checksumHeaders, type ChecksumAlgorithm } from './checksum.ts';
import {
  parseChecksumHeaders,
  parseContentMd5,
  PayloadVerifier,
  type PayloadChecksum,
  type PayloadExpectations,
  type RequestHeaders,
} from './payload-verifier.ts';
import { s3Error } from './s3-error.ts';

export type { PayloadChecksum } from './payload-verifier.ts';

/** What `x-amz-content-sha256` says of the body: its hash, nothing, or that it comes in `aws-chunked` coding. */
export type PayloadDeclaration =
  | { readonly kind: 'signed'; readonly sha256Hex: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'streaming'; readonly signed: boolean; readonly trailer: boolean };

const declarations: ReadonlyMap<string, PayloadDeclaration> = new Map<string, PayloadDeclaration>([
  ['UNSIGNED-PAYLOAD', { kind: 'unsigned' }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'streaming', signed: false, trailer: true }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { kind: 'streaming', signed: true, trailer: false }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { kind: 'streaming', signed: true, trailer: true }],
]);

/** @throws S3Error InvalidArgument when the value of `x-amz-content-sha256` is none that S3 with SigV4 knows. */
export function declarePayload(contentSha256: string): PayloadDeclaration {
  const declared = declarations.get(contentSha256);
  if (declared !== undefined) return declared;
  if (/^[0-9a-f]{64}$/i.test(contentSha256)) return { kind: 'signed', sha256Hex: contentSha256.toLowerCase() };
  throw s3Error(
    'InvalidArgument',
    `x-amz-content-sha256 must be ${[...declarations.keys()].join(', ')} or a valid sha256 value.`,
    { details: { ArgumentName: 'x-amz-content-sha256' } },
  );
}

/** A request's body and what was said of it. */
export interface EncodedPayload {
  readonly declaration: PayloadDeclaration;
  /** Lower-case names. */
  readonly headers: RequestHeaders;
  readonly body: ByteStream;
  /** For a streaming declaration that is signed. */
  readonly signing: ChunkSigning;
  /** Of the body as it is sent. */
  readonly contentLength: number | undefined;
  /**
   * False where `x-amz-checksum-*` headers speak of something else than this body (CompleteMultipartUpload: the object).
   * @default true
   */
  readonly verifyChecksumHeaders?: boolean;
}

/** The bytes that a client means, verified while they stream. */
export interface DecodedPayload {
  /**
   * May be iterated once. Gives exactly `plaintextBytes` bytes or throws: whatever the client declared (hash, MD5,
   * checksum, signatures, length) is verified before the last piece is handed out, so that a reader that counts bytes
   * cannot finish with bytes that are wrong. Returning early releases the body.
   *
   * Errors while iterating: XAmzContentSHA256Mismatch, BadDigest, IncompleteBody, SignatureDoesNotMatch,
   * InvalidChunkSizeError, MalformedTrailerError, InvalidRequest; and those of the body itself.
   */
  readonly plaintext: ByteStream;
  readonly plaintextBytes: number;
  /** What a header gave, not verified yet: at most one. */
  declaredChecksums(): readonly PayloadChecksum[];
  /** Algorithm of the checksum that a header gave or that is announced as trailer. */
  announcedChecksum(): ChecksumAlgorithm | undefined;
  /** What a header or trailer gave and the bytes bear out; empty until `plaintext` has ended. */
  checksums(): readonly PayloadChecksum[];
  /** What Content-MD5 gave, not verified yet. */
  declaredMd5(): Buffer | undefined;
  /** The plaintext's MD5, where the client gave one that holds; undefined until `plaintext` has ended. */
  md5(): Buffer | undefined;
}

/**
 * Reads the headers of a body and decodes it. Only what the client asks for is computed.
 * @throws S3Error for what is wrong without a look at the body: MissingContentLength, InvalidArgument (a malformed
 * `x-amz-decoded-content-length`), InvalidDigest, InvalidRequest, NotImplemented, BadDigest.
 */
export function decodePayload(payload: EncodedPayload): DecodedPayload {
  const { declaration, headers } = payload;
  const plaintextBytes = plaintextLength(payload);
  const trailer = announcedTrailer(payload);
  const checksum = payload.verifyChecksumHeaders === false ? undefined : parseChecksumHeaders(headers, trailer);
  const expected: PayloadExpectations = {
    sha256: declaration.kind === 'signed' ? Buffer.from(declaration.sha256Hex, 'hex') : undefined,
    md5: parseContentMd5(headers),
    checksum,
    trailer,
  };
  const decoder =
    declaration.kind === 'streaming'
      ? new AwsChunkedDecoder({
          decodedBytes: plaintextBytes,
          signing: declaration.signed ? payload.signing : undefined,
          trailerName: trailer === undefined ? undefined : headers['x-amz-trailer']?.trim().toLowerCase(),
        })
      : plainBody;
  const plaintext = new VerifiedPlaintext({ body: payload.body, decoder, expected, plaintextBytes });
  return {
    plaintext,
    plaintextBytes,
    declaredChecksums: () => (checksum === undefined ? [] : [checksum]),
    announcedChecksum: () => checksum?.algorithm ?? trailer,
    checksums: () => plaintext.verified ?? [],
    declaredMd5: () => expected.md5,
    md5: () => (plaintext.verified === undefined ? undefined : expected.md5),
  };
}

function plaintextLength({ declaration, headers, contentLength }: EncodedPayload): number {
  const decodedLength = headers['x-amz-decoded-content-length'];
  if (declaration.kind === 'streaming') {
    if (decodedLength === undefined) throw s3Error('MissingContentLength');
    return parseLength(decodedLength);
  }
  if (contentLength === undefined) throw s3Error('MissingContentLength');
  // Else a body in aws-chunked coding, sent with the wrong x-amz-content-sha256, would be stored with its framing.
  if (decodedLength !== undefined && parseLength(decodedLength) !== contentLength) {
    throw s3Error('InvalidRequest', 'x-amz-decoded-content-length needs a streaming x-amz-content-sha256.');
  }
  return contentLength;
}

function parseLength(text: string): number {
  const length = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(length)) return length;
  throw s3Error('InvalidArgument', 'The value of x-amz-decoded-content-length is not a length.', {
    details: { ArgumentName: 'x-amz-decoded-content-length' },
  });
}

/** The algorithm of the checksum that the client will send after the body. */
function announcedTrailer({ declaration, headers }: EncodedPayload): ChecksumAlgorithm | undefined {
  const header = headers['x-amz-trailer'];
  if (header === undefined) return undefined;
  if (declaration.kind !== 'streaming' || !declaration.trailer) {
    throw s3Error('InvalidRequest', 'x-amz-trailer needs an x-amz-content-sha256 that ends in -TRAILER.');
  }
  const algorithm = checksumHeaders.get(header.trim().toLowerCase());
  if (algorithm === undefined) {
    throw s3Error('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported.');
  }
  return algorithm;
}

/** Turns pieces of a body into pieces of plaintext; `end` returns the trailer's value. */
interface BodyDecoder {
  push(bytes: Uint8Array): readonly Uint8Array[];
  end(): string | undefined;
}

const plainBody: BodyDecoder = { push: (bytes) => [bytes], end: () => undefined };

interface VerifiedPlaintextOptions {
  readonly body: ByteStream;
  readonly decoder: BodyDecoder;
  readonly expected: PayloadExpectations;
  readonly plaintextBytes: number;
}

/** Not an async generator: it releases the body also when it is returned before its first step. */
class VerifiedPlaintext implements ByteStream, ByteIterator {
  /** Set when everything held. */
  verified: readonly PayloadChecksum[] | undefined;
  readonly #source: ByteIterator;
  readonly #decoder: BodyDecoder;
  readonly #verifier: PayloadVerifier;
  #missingBytes: number;
  #ready: Uint8Array[] = [];
  #sourceEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: VerifiedPlaintextOptions) {
    this.#source = options.body[Symbol.asyncIterator]();
    this.#decoder = options.decoder;
    this.#verifier = new PayloadVerifier(options.expected);
    this.#missingBytes = options.plaintextBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): Uint8Array | undefined {
    try {
      while (this.#failure === undefined && this.#ready.length <= this.#heldBack()) {
        const bytes = this.#sourceEnded ? undefined : this.#source.ready?.();
        if (bytes === undefined) return undefined;
        this.#accept(bytes);
      }
    } catch (error) {
      // For `next` to throw.
      this.#failure = { error };
    }
    return this.#failure === undefined ? this.#ready.shift() : undefined;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      while (!this.#sourceEnded && this.#ready.length <= this.#heldBack()) await this.#pull();
    } catch (error) {
      this.#ready = [];
      await this.#release();
      throw error;
    }
    const value = this.#ready.shift();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#ready = [];
    await this.#release();
    return { done: true, value: undefined };
  }

  /** The last piece waits for the end of the body and all that is verified there. */
  #heldBack(): 0 | 1 {
    return this.#missingBytes === 0 ? 1 : 0;
  }

  async #pull(): Promise<void> {
    const step = await this.#advance();
    if (step.done === true) {
      this.#finish();
      return;
    }
    this.#accept(step.value);
  }

  #accept(bytes: Uint8Array): void {
    for (const piece of this.#decoder.push(bytes)) {
      if (piece.length === 0) continue;
      if (piece.length > this.#missingBytes) throw s3Error('IncompleteBody');
      this.#missingBytes -= piece.length;
      this.#verifier.update(piece);
      this.#ready.push(piece);
    }
  }

  /** A source that ended or threw is not to be released as well. */
  async #advance(): Promise<IteratorResult<Uint8Array>> {
    try {
      const step = await this.#source.next();
      if (step.done === true) this.#sourceEnded = true;
      return step;
    } catch (error) {
      this.#sourceEnded = true;
      throw error;
    }
  }

  #finish(): void {
    const trailerValue = this.#decoder.end();
    if (this.#missingBytes > 0) throw s3Error('IncompleteBody');
    this.verified = this.#verifier.finish(trailerValue);
  }

  /** The error that led here counts, not one of closing a broken source. */
  async #release(): Promise<void> {
    if (this.#sourceEnded) return;
    this.#sourceEnded = true;
    await this.#source.return?.().catch(() => {});
  }
}
