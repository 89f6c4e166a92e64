import { createHash, hash, type Hash } from 'node:crypto';
import { s3Error, type S3Error } from './s3-error.ts';
import { equalSignatures, signatureOf } from './sigv4-key.ts';

/** What the signatures of chunks follow from; comes with the signature of the request's headers. */
export interface ChunkSigning {
  /** The signing key, 32 bytes. */
  readonly key: Buffer;
  /** `20130524/us-east-1/s3/aws4_request` */
  readonly scope: string;
  /** `20130524T000000Z` */
  readonly timestamp: string;
  /** The request's own signature, which the first chunk's signature covers. */
  readonly seedSignature: string;
}

/** How a chunked body is to be read. */
export interface ChunkedBody {
  /** `x-amz-decoded-content-length` */
  readonly decodedBytes: number;
  /** Set when chunks (and a trailer) carry signatures. */
  readonly signing: ChunkSigning | undefined;
  /** Lower-case name of the one trailer that the client announced. */
  readonly trailerName: string | undefined;
}

/** A size line is at most 16 hex digits and a signature; the trailing part is one checksum and a signature. */
const maxSizeLineBytes = 128;
const maxTrailerBytes = 4096;

/** Pieces below this on average are joined, else a client of tiny chunks would cost every later layer a step each. */
const smallPieceBytes = 2048;

const signedSizeLine = /^([0-9a-f]{1,16});chunk-signature=([0-9a-f]{64})\r\n$/i;
const plainSizeLine = /^([0-9a-f]{1,16});?\r\n$/i;

const emptyHash = hash('sha256', '');
const trailerSignatureName = 'x-amz-trailer-signature';
const lineFeed = 10;

/**
 * Decodes a body in `aws-chunked` coding and verifies its chunk signatures (S3 API reference, "Signature calculations:
 * transferring payload in multiple chunks" and "… including trailing headers"). Pieces of any size go in, views of their
 * plaintext come out at once; a chunk's signature is verified at its last byte, so plaintext is to be kept only when
 * `end` returns.
 *
 * Errors: SignatureDoesNotMatch; IncompleteBody where the data is less or more than `decodedBytes` or ends early;
 * InvalidChunkSizeError for broken framing; MalformedTrailerError for what comes after the last chunk.
 */
export class AwsChunkedDecoder {
  readonly #body: ChunkedBody;
  #state: 'size' | 'data' | 'dataEnd' | 'trailer' = 'size';
  /** Bytes of a line, or of the trailing part, that came so far. */
  #pending: Buffer = Buffer.alloc(0);
  #chunkLeft = 0;
  #decodedLeft: number;
  #lineEndSeen = 0;
  #chunkHash: Hash | undefined;
  #chunkSignature = '';
  #previousSignature: string;

  constructor(body: ChunkedBody) {
    this.#body = body;
    this.#decodedLeft = body.decodedBytes;
    this.#previousSignature = body.signing?.seedSignature ?? '';
  }

  /** Takes the next piece of the body; returns the plaintext in it, as views of it except where they are many and small. */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    const plaintext: Uint8Array[] = [];
    let rest = bytes;
    while (rest.length > 0) rest = this.#step(rest, plaintext);
    return joinSmall(plaintext);
  }

  /** To be called once the body has ended. @returns The value of the announced trailer. */
  end(): string | undefined {
    if (this.#state !== 'trailer') {
      // Some clients send nothing at all, not even the last chunk, for an object of no bytes.
      const isEmpty = this.#state === 'size' && this.#pending.length === 0 && this.#body.decodedBytes === 0;
      if (isEmpty && this.#body.trailerName === undefined) return undefined;
      throw s3Error('IncompleteBody');
    }
    const { signing, trailerName } = this.#body;
    const trailer = parseTrailer(this.#pending.toString('latin1'), trailerName, signing !== undefined);
    if (signing !== undefined) this.#verifyTrailer(signing, trailer);
    return trailer.value;
  }

  /** Consumes some of `bytes`; returns what is left. */
  #step(bytes: Uint8Array, plaintext: Uint8Array[]): Uint8Array {
    switch (this.#state) {
      case 'size':
        return this.#readSizeLine(bytes);
      case 'data':
        return this.#readData(bytes, plaintext);
      case 'dataEnd':
        return this.#readDataEnd(bytes);
      default:
        this.#keep(bytes, maxTrailerBytes, () => s3Error('MalformedTrailerError'));
        return noBytes;
    }
  }

  #readSizeLine(bytes: Uint8Array): Uint8Array {
    const end = bytes.indexOf(lineFeed) + 1;
    this.#keep(end === 0 ? bytes : bytes.subarray(0, end), maxSizeLineBytes, badFraming);
    if (end === 0) return noBytes;
    const line = this.#pending.toString('latin1');
    this.#pending = Buffer.alloc(0);
    this.#beginChunk(line);
    return bytes.subarray(end);
  }

  #keep(bytes: Uint8Array, maxBytes: number, tooLong: () => S3Error): void {
    if (this.#pending.length + bytes.length > maxBytes) throw tooLong();
    this.#pending = Buffer.concat([this.#pending, bytes]);
  }

  #beginChunk(line: string): void {
    const { signing } = this.#body;
    const match = (signing === undefined ? plainSizeLine : signedSizeLine).exec(line);
    if (match === null) throw badFraming();
    const size = Number.parseInt(match[1] ?? '', 16);
    this.#chunkSignature = match[2] ?? '';
    const isLast = size === 0;
    if (size > this.#decodedLeft || (isLast && this.#decodedLeft > 0)) throw s3Error('IncompleteBody');
    if (isLast) {
      if (signing !== undefined) this.#verifyChunk(signing, emptyHash);
      this.#state = 'trailer';
      return;
    }
    this.#chunkLeft = size;
    this.#chunkHash = signing === undefined ? undefined : createHash('sha256');
    this.#state = 'data';
  }

  #readData(bytes: Uint8Array, plaintext: Uint8Array[]): Uint8Array {
    const piece = bytes.length > this.#chunkLeft ? bytes.subarray(0, this.#chunkLeft) : bytes;
    this.#chunkHash?.update(piece);
    plaintext.push(piece);
    this.#chunkLeft -= piece.length;
    this.#decodedLeft -= piece.length;
    if (this.#chunkLeft === 0) {
      const { signing } = this.#body;
      if (signing !== undefined) this.#verifyChunk(signing, this.#chunkHash?.digest('hex') ?? '');
      this.#lineEndSeen = 0;
      this.#state = 'dataEnd';
    }
    return bytes.subarray(piece.length);
  }

  #readDataEnd(bytes: Uint8Array): Uint8Array {
    const expected = this.#lineEndSeen === 0 ? 13 : lineFeed;
    if (bytes[0] !== expected) throw badFraming();
    this.#lineEndSeen += 1;
    if (this.#lineEndSeen === 2) this.#state = 'size';
    return bytes.subarray(1);
  }

  #verifyChunk(signing: ChunkSigning, dataHash: string): void {
    this.#verify(signing, this.#chunkSignature, [
      'AWS4-HMAC-SHA256-PAYLOAD',
      signing.timestamp,
      signing.scope,
      this.#previousSignature,
      emptyHash,
      dataHash,
    ]);
  }

  #verifyTrailer(signing: ChunkSigning, trailer: Trailer): void {
    if (trailer.signature === undefined) {
      if (this.#body.trailerName !== undefined) throw s3Error('MalformedTrailerError');
      return;
    }
    const canonical = trailer.value === undefined ? '' : `${this.#body.trailerName}:${trailer.value}\n`;
    this.#verify(signing, trailer.signature, [
      'AWS4-HMAC-SHA256-TRAILER',
      signing.timestamp,
      signing.scope,
      this.#previousSignature,
      hash('sha256', Buffer.from(canonical, 'latin1')),
    ]);
  }

  #verify(signing: ChunkSigning, given: string, lines: readonly string[]): void {
    const signature = signatureOf(signing.key, lines.join('\n'));
    if (!equalSignatures(signature, given.toLowerCase())) throw s3Error('SignatureDoesNotMatch');
    this.#previousSignature = signature;
  }
}

const noBytes = new Uint8Array(0);

function badFraming(): S3Error {
  return s3Error('InvalidChunkSizeError');
}

function joinSmall(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  if (pieces.length < 8) return pieces;
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return total < pieces.length * smallPieceBytes ? [Buffer.concat(pieces, total)] : pieces;
}

interface Trailer {
  readonly value: string | undefined;
  readonly signature: string | undefined;
}

/**
 * Reads what follows the last chunk's size line: lines of `name:value` and a blank line. Clients differ in it — some end
 * a line with a bare LF or put blank lines between — so blank lines count for nothing, but one has to be the last.
 */
function parseTrailer(text: string, trailerName: string | undefined, isSigned: boolean): Trailer {
  if (!/(?:^|\n)\r?\n$/.test(text)) throw s3Error('IncompleteBody');
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const content = withoutBlanks(line);
    if (content === '') continue;
    const colon = content.indexOf(':');
    const name = withoutBlanks(content.slice(0, Math.max(colon, 0))).toLowerCase();
    const isExpected = name === trailerName || (isSigned && name === trailerSignatureName);
    if (!isExpected || found.has(name)) throw s3Error('MalformedTrailerError');
    found.set(name, withoutBlanks(content.slice(colon + 1)));
  }
  const value = trailerName === undefined ? undefined : found.get(trailerName);
  if (trailerName !== undefined && value === undefined) throw s3Error('MalformedTrailerError');
  return { value, signature: found.get(trailerSignatureName) };
}

/** Not `trim`, which takes control characters as well. */
function withoutBlanks(text: string): string {
  return text.replaceAll(/^[ \t]+|[ \t]*\r?$/g, '');
}
