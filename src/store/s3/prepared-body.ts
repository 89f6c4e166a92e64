import { createHash } from 'node:crypto';
import { createChecksum } from '../../s3/checksum.ts';
import type { Headers } from '../object-store.ts';
import { checkLength } from './request-guard.ts';
import { chunkedLength, trailingChecksumHeaders, withTrailingChecksum } from './trailing-checksum.ts';
import type { UploadBody } from './upload-body.ts';
import { gatherLimitBytes, type UploadForm } from './upload-form.ts';

/** SHA-256 of nothing, for requests without a body. */
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** Bodies of objects are not hashed: their authenticated encryption guards them from end to end. */
const unsignedPayload = 'UNSIGNED-PAYLOAD';
/** S3 documents unsigned bodies for TLS only; the servers of the tests take them over plain HTTP too. */
const unsignedTrailer = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/** A body as one attempt sends it. */
export interface PreparedBody {
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly lengthBytes?: number;
  /** Value of `x-amz-content-sha256`. */
  readonly payloadHash: string;
  /** Checksums, and what belongs to the body's coding. */
  readonly headers: Headers;
}

/** What has a body. */
export interface BodiedCall {
  readonly method: string;
  /** Lower-case names. */
  readonly headers: Headers;
  readonly body?: Uint8Array | UploadBody;
  readonly contentMd5?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** @throws the error of the body's source; S3Error IncompleteBody; the signal's reason. */
export async function preparedBody(call: BodiedCall, form: UploadForm): Promise<PreparedBody> {
  const { method, body } = call;
  if (body === undefined) {
    const headers = form === 'announced' ? announcement : {};
    return { headers, payloadHash: emptyHash, ...(method === 'PUT' || method === 'POST' ? { lengthBytes: 0 } : {}) };
  }
  if (body instanceof Uint8Array) {
    const headers = call.contentMd5 === true ? md5Header(body) : {};
    const payloadHash = createHash('sha256').update(body).digest('hex');
    return { body, headers, lengthBytes: body.length, payloadHash };
  }
  checkLength(body.lengthBytes);
  call.signal?.throwIfAborted();
  return form === 'trailer' ? trailered(call, body) : await unhashed(call, body, form);
}

/** Its parts' checksums make the whole's, so that they need not be named again at the upload's end. */
const announcement = { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' } as const;

async function unhashed({ signal }: BodiedCall, body: UploadBody, form: UploadForm): Promise<PreparedBody> {
  const { lengthBytes } = body;
  if (lengthBytes > gatherLimitBytes) {
    return { body: body.attempt(), headers: {}, lengthBytes, payloadHash: unsignedPayload };
  }
  const bytes = await body.gather(signal);
  const headers = form === 'md5' ? md5Header(bytes) : form === 'header' ? crcHeaders(bytes) : {};
  return { body: bytes, headers, lengthBytes, payloadHash: unsignedPayload };
}

function trailered({ headers }: BodiedCall, body: UploadBody): PreparedBody {
  const { lengthBytes } = body;
  return {
    body: withTrailingChecksum(body.attempt(), lengthBytes),
    lengthBytes: chunkedLength(lengthBytes),
    headers: trailingChecksumHeaders(lengthBytes, headers['content-encoding']),
    payloadHash: unsignedTrailer,
  };
}

function md5Header(bytes: Uint8Array): Headers {
  return { 'content-md5': createHash('md5').update(bytes).digest('base64') };
}

function crcHeaders(bytes: Uint8Array): Headers {
  const checksum = createChecksum('CRC32');
  checksum.update(bytes);
  return {
    'x-amz-checksum-crc32': checksum.digest().toString('base64'),
    'x-amz-sdk-checksum-algorithm': 'CRC32',
  };
}
