import { createHash, createHmac } from 'node:crypto';
import type { ByteIterator, ByteStream } from '../../../src/base/byte-stream.ts';
import type { ChunkSigning } from '../../../src/s3/aws-chunked.ts';
import { exampleCredentials } from './sigv4-support.ts';

const exampleScope = '20130524/us-east-1/s3/aws4_request';
const exampleTimestamp = '20130524T000000Z';

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** What a request of AWS's example credentials, signed with `seedSignature`, gives for its chunks. */
export function exampleSigning(seedSignature: string): ChunkSigning {
  const secret = `AWS4${exampleCredentials.secretAccessKey}`;
  const [date = '', region = '', service = '', end = ''] = exampleScope.split('/');
  const key = hmac(hmac(hmac(hmac(secret, date), region), service), end);
  return { key, scope: exampleScope, timestamp: exampleTimestamp, seedSignature };
}

export interface BodyToEncode {
  readonly chunks: readonly Uint8Array[];
  readonly signing?: ChunkSigning | undefined;
  readonly trailer?: { readonly name: string; readonly value: string };
}

/** The oracle: a body in aws-chunked coding, written from the S3 API reference; `signatures` in their order. */
export function encodeChunked(body: BodyToEncode): { readonly bytes: Buffer; readonly signatures: readonly string[] } {
  const { signing, trailer } = body;
  const signatures = [signing?.seedSignature ?? ''];
  const pieces: Uint8Array[] = [];
  const write = (text: string): void => {
    pieces.push(Buffer.from(text, 'latin1'));
  };
  const sign = (algorithm: string, hashes: readonly string[]): string => {
    if (signing === undefined) throw new Error('not signed');
    const lines = [algorithm, signing.timestamp, signing.scope, signatures.at(-1), ...hashes];
    const signature = hmac(signing.key, lines.join('\n')).toString('hex');
    signatures.push(signature);
    return signature;
  };
  for (const chunk of [...body.chunks, Buffer.alloc(0)]) {
    const extension =
      signing === undefined ? '' : `;chunk-signature=${sign('AWS4-HMAC-SHA256-PAYLOAD', [sha256(''), sha256(chunk)])}`;
    write(`${chunk.length.toString(16)}${extension}\r\n`);
    if (chunk.length > 0) pieces.push(chunk, Buffer.from('\r\n'));
  }
  if (trailer !== undefined) {
    write(`${trailer.name}:${trailer.value}\r\n`);
    if (signing !== undefined) {
      const hash = sha256(`${trailer.name}:${trailer.value}\n`);
      write(`x-amz-trailer-signature:${sign('AWS4-HMAC-SHA256-TRAILER', [hash])}\r\n`);
    }
  }
  write('\r\n');
  return { bytes: Buffer.concat(pieces), signatures: signatures.slice(1) };
}

/** The bytes in pieces of `size`, the last one shorter. */
export function inPieces(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

/** A stream that tells whether it was closed early, and how much of it was taken. */
export class ObservedStream implements ByteStream {
  closed = false;
  taken = 0;
  readonly #pieces: readonly Uint8Array[];
  readonly #failure: Error | undefined;

  constructor(pieces: readonly Uint8Array[], failure?: Error) {
    this.#pieces = pieces;
    this.#failure = failure;
  }

  /** Two of three pieces are at hand. */
  [Symbol.asyncIterator](): ByteIterator {
    return {
      ready: () => (this.taken % 3 === 1 ? undefined : this.#take()),
      next: async () => {
        const value = this.#take();
        if (value !== undefined) return { done: false, value };
        if (this.#failure !== undefined) throw this.#failure;
        return { done: true, value: undefined };
      },
      return: async () => {
        this.closed = true;
        return { done: true, value: undefined };
      },
    };
  }

  #take(): Uint8Array | undefined {
    const piece = this.#pieces[this.taken];
    if (piece !== undefined) this.taken += 1;
    return piece;
  }
}
