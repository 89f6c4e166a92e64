import { encodeChunked } from './aws-chunked.ts';
import { type S3Client, targetOf } from './client.ts';
import type { S3Response } from './response.ts';
import { signHeaders } from './signing.ts';

/** A PUT whose body is in `aws-chunked` coding. */
export interface StreamingPut {
  readonly bucket: string;
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly chunks: readonly Uint8Array[];
  readonly isSigned: boolean;
  readonly trailer?: { readonly name: string; readonly value: string };
  readonly headers?: Readonly<Record<string, string>>;
  /** See `encodeChunked`. */
  readonly tamper?: (what: string, text: string) => string;
  /** Changes the encoded body; its new length is announced. */
  readonly rewrite?: (body: Buffer) => Buffer;
}

/** Sends a PUT as SDKs do that do not know their body beforehand. */
export async function streamingPut(s3: S3Client, put: StreamingPut): Promise<S3Response> {
  const { chunks, isSigned, trailer, tamper, rewrite = (body: Buffer) => body } = put;
  const at = new Date();
  const decodedBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const { bucket, key, query = {} } = put;
  const request = {
    method: 'PUT',
    bucket,
    key,
    query,
    payloadHash: contentSha256(isSigned, trailer !== undefined),
    headers: {
      'x-amz-decoded-content-length': String(decodedBytes),
      'content-encoding': 'aws-chunked',
      ...(trailer === undefined ? {} : { 'x-amz-trailer': trailer.name }),
      ...put.headers,
    },
  };
  const signing = { credentials: s3.credentials, at };
  const signed = await signHeaders(s3.toSign(request), signing);
  const body = rewrite(
    encodeChunked({
      chunks,
      ...(isSigned ? { signing: { ...signing, authorization: signed['authorization'] ?? '' } } : {}),
      ...(trailer === undefined ? {} : { trailer }),
      ...(tamper === undefined ? {} : { tamper }),
    }),
  );
  // Not signed: its length is known only now, as the signatures in it follow from the one in the header.
  return s3.sendRaw({
    method: 'PUT',
    target: targetOf(request),
    headers: { ...signed, 'content-length': String(body.length) },
    body,
  });
}

function contentSha256(isSigned: boolean, hasTrailer: boolean): string {
  if (!isSigned) return 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  return `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${hasTrailer ? '-TRAILER' : ''}`;
}
