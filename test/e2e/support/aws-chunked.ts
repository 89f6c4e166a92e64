import { sha256Hex } from './checksums.ts';
import { rememberSecret } from './secrets.ts';
import { amzDate, hmac, signatureIn, signingKey, type SigningOptions } from './signing.ts';

/** How a body is put into `aws-chunked` coding. */
export interface ChunkedBody {
  readonly chunks: readonly Uint8Array[];
  /** Signs each chunk, following on from the request's own signature. */
  readonly signing?: SigningOptions & { readonly at: Date; readonly authorization: string };
  readonly trailer?: { readonly name: string; readonly value: string };
  /** Changes what is about to be written, to make it wrong: `chunk 0 signature`, `trailer signature`, `trailer value`. */
  readonly tamper?: (what: string, text: string) => string;
}

/**
 * Writes a body from the text of the S3 API reference ("Signature calculations for the Authorization header:
 * transferring payload in multiple chunks", "… including trailing headers").
 */
export function encodeChunked(body: ChunkedBody): Buffer {
  const { chunks, signing, trailer, tamper = (_, text) => text } = body;
  const chain = signing === undefined ? undefined : new SignatureChain(signing);
  const pieces: Uint8Array[] = [];
  for (const [index, chunk] of [...chunks, Buffer.alloc(0)].entries()) {
    const signature = chain?.sign('AWS4-HMAC-SHA256-PAYLOAD', [sha256Hex(''), sha256Hex(chunk)]);
    const extension =
      signature === undefined ? '' : `;chunk-signature=${tamper(`chunk ${index} signature`, signature)}`;
    pieces.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`));
    if (chunk.length > 0) pieces.push(chunk, Buffer.from('\r\n'));
  }
  if (trailer !== undefined) {
    const value = tamper('trailer value', trailer.value);
    pieces.push(Buffer.from(`${trailer.name}:${value}\r\n`));
    const signature = chain?.sign('AWS4-HMAC-SHA256-TRAILER', [sha256Hex(`${trailer.name}:${value}\n`)]);
    if (signature !== undefined) {
      pieces.push(Buffer.from(`x-amz-trailer-signature:${tamper('trailer signature', signature)}\r\n`));
    }
  }
  pieces.push(Buffer.from('\r\n'));
  return Buffer.concat(pieces);
}

/** Each signature covers the one before. */
class SignatureChain {
  readonly #key: Buffer;
  readonly #timestamp: string;
  readonly #scope: string;
  #previous: string;

  constructor(signing: SigningOptions & { readonly at: Date; readonly authorization: string }) {
    this.#key = signingKey(signing);
    this.#timestamp = amzDate(signing.at);
    this.#scope = `${this.#timestamp.slice(0, 8)}/${signing.region ?? 'us-east-1'}/s3/aws4_request`;
    this.#previous = signatureIn(signing.authorization);
  }

  sign(algorithm: string, hashes: readonly string[]): string {
    const lines = [algorithm, this.#timestamp, this.#scope, this.#previous, ...hashes];
    this.#previous = hmac(this.#key, lines.join('\n')).toString('hex');
    rememberSecret(this.#previous);
    return this.#previous;
  }
}
