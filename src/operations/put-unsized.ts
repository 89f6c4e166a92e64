import { createHash, type Hash } from 'node:crypto';

import { ByteReader } from '../base/byte-reader.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import { readAll, streamOf } from '../base/streams.ts';
import { parseCompleteUploadAnswer, parseInitiateUploadAnswer } from '../s3/backend-documents.ts';
import { decodePayload, type DecodedPayload } from '../s3/payload.ts';
import { parseChecksumHeaders, parseContentMd5, PayloadVerifier } from '../s3/payload-verifier.ts';
import { s3Error } from '../s3/s3-error.ts';
import { abortMultipartUpload } from './abort-multipart-upload.ts';
import { completeParts } from './complete-multipart-upload.ts';
import { createMultipartUpload } from './create-multipart-upload.ts';
import type { Headers } from '../store/object-store.ts';
import type { Gateway, ObjectRequest, OperationResult } from './gateway.ts';
import { minPartBytes } from './multipart-upload.ts';
import { putObject } from './put-object.ts';
import { showsMd5 } from './shown-etag.ts';
import { uploadPart } from './upload-part.ts';

/** Most that is kept in memory of a body that goes on behind its least length. */
const maxRestBytes = 1024 * 1024;

/** A body whose exact length shows only at its end. */
export interface UnsizedBody {
  readonly body: ByteStream;
  /** The body is not shorter than this, in bytes … */
  readonly leastBytes: number;
  /** … and goes on behind it for at most 1 MiB. */
}

/**
 * Stores an object whose length is not announced, as S3's protocol wants it announced: a small one is read first; a large
 * one becomes an upload of two parts, the first of the length that is certain, streamed, the second of the rest.
 * @returns Headers that tell of the object: its ETag, and the checksum that is kept with it.
 */
export async function putUnsized(request: ObjectRequest, gateway: Gateway, unsized: UnsizedBody): Promise<Headers> {
  const reader = new ByteReader(unsized.body);
  try {
    if (unsized.leastBytes < minPartBytes) {
      const bytes = await readAll(reader.rest(), minPartBytes + maxRestBytes, tooLong);
      const { headers } = await putObject({ ...request, payload: () => payloadOf(request.headers, bytes) }, gateway);
      return Object.fromEntries(Object.entries(headers).filter(([name]) => name === 'etag' || isChecksum(name)));
    }
    return { etag: await inTwoParts(request, gateway, { reader, leastBytes: unsized.leastBytes }) };
  } finally {
    await reader.close();
  }
}

function isChecksum(name: string): boolean {
  return name.startsWith('x-amz-checksum-');
}

interface Source {
  readonly reader: ByteReader;
  readonly leastBytes: number;
}

async function inTwoParts(request: ObjectRequest, gateway: Gateway, source: Source): Promise<string> {
  const verifier = verifierOf(request.headers);
  // What is given of the whole is verified here, over both parts.
  const { 'x-amz-checksum-algorithm': _algorithm, 'x-amz-checksum-type': _type, ...headers } = request.headers;
  const created = await createMultipartUpload({ ...request, headers }, gateway);
  const { uploadId } = parseInitiateUploadAnswer(documentOf(created));
  const ofUpload = (query: Readonly<Record<string, string>>): ObjectRequest => ({
    ...request,
    headers: {},
    query: new Map(Object.entries({ ...query, uploadId })),
  });
  const md5 = showsMd5(request) ? createHash('md5') : undefined;
  try {
    const first = verified(firstPart(source), verifier, md5);
    const firstEtag = await sendPart(ofUpload({ partNumber: '1' }), gateway, {
      plaintext: first,
      plaintextBytes: source.leastBytes,
    });
    const rest = await readAll(source.reader.rest(), maxRestBytes, tooLong);
    verifier.update(rest);
    verifier.finish(undefined);
    md5?.update(rest);
    const restEtags =
      rest.length === 0
        ? []
        : [
            await sendPart(ofUpload({ partNumber: '2' }), gateway, {
              plaintext: streamOf(rest),
              plaintextBytes: rest.length,
            }),
          ];
    const parts = [firstEtag, ...restEtags].map((etag, index) => ({
      partNumber: index + 1,
      etag,
      checksums: new Map<string, string>(),
    }));
    const whole = md5 && ({ algorithm: 'md5', type: 'full-object', value: md5.digest() } as const);
    const done = await completeParts(ofUpload({}), gateway, parts, whole);
    return parseCompleteUploadAnswer(documentOf(done)).etag;
  } catch (error) {
    // Also where the client is gone, which has ended all that has the request's signal.
    const { signal } = new AbortController();
    await abortMultipartUpload({ ...ofUpload({}), signal }).catch(() => {});
    throw error;
  }
}

/** The bytes that are certain to come, as a stream that leaves the rest to the reader. */
function firstPart({ reader, leastBytes }: Source): ByteStream {
  let missing = leastBytes;
  return {
    async *[Symbol.asyncIterator]() {
      while (missing > 0) {
        const pieces = await reader.read(Math.min(missing, 64 * 1024));
        if (pieces.length === 0) throw s3Error('MalformedPOSTRequest');
        for (const piece of pieces) {
          missing -= piece.length;
          yield piece;
        }
      }
    },
  };
}

async function* verified(
  source: ByteStream,
  verifier: PayloadVerifier,
  md5: Hash | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    verifier.update(chunk);
    md5?.update(chunk);
    yield chunk;
  }
}

function verifierOf(headers: ObjectRequest['headers']): PayloadVerifier {
  return new PayloadVerifier({
    sha256: undefined,
    md5: parseContentMd5(headers),
    checksum: parseChecksumHeaders(headers, undefined),
    trailer: undefined,
  });
}

async function sendPart(
  request: ObjectRequest,
  gateway: Gateway,
  part: Pick<DecodedPayload, 'plaintext' | 'plaintextBytes'>,
): Promise<string> {
  const payload: DecodedPayload = {
    ...part,
    declaredChecksums: () => [],
    announcedChecksum: () => undefined,
    checksums: () => [],
    declaredMd5: () => undefined,
    md5: () => undefined,
  };
  // The object gets an MD5 of the whole: none of its parts is wanted.
  const { policy } = request;
  const opaque = { ...policy, encryption: { ...policy.encryption, etag: 'opaque' } } as const;
  const { headers } = await uploadPart({ ...request, policy: opaque, payload: () => payload }, gateway);
  return headers['etag'] ?? '';
}

/** Bytes at hand as a payload, with what the headers say of it verified. */
function payloadOf(headers: ObjectRequest['headers'], bytes: Uint8Array): DecodedPayload {
  return decodePayload({
    declaration: { kind: 'unsigned' },
    headers,
    body: streamOf(bytes),
    signing: { key: Buffer.alloc(0), scope: '', timestamp: '', seedSignature: '' },
    contentLength: bytes.length,
  });
}

function documentOf({ body }: OperationResult): string {
  if (typeof body !== 'string') throw new TypeError('the operation answers a document');
  return body;
}

function tooLong(): Error {
  return s3Error('MalformedPOSTRequest');
}
