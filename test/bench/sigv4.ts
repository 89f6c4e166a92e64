/** Signs the benchmark's requests: Signature Version 4 in the Authorization header, apart from the gateway's own code. */
import { createHash, createHmac } from 'node:crypto';

/** A request of the benchmark; the path needs no percent escapes. */
export interface BenchRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** `host:port` */
  readonly host: string;
  readonly path: string;
  /** As it is sent and signed: encoded, in the order of its names; default: none. */
  readonly query?: string;
  /** Value of the header Range, which is not signed; default: none. */
  readonly range?: string;
  readonly bodyBytes: number;
  /** Hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
}

/** An access key. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The whole head of an HTTP request, signed at `now`; it may be sent as often as one likes within 15 minutes. */
export function signedHead(request: BenchRequest, { accessKeyId, secretAccessKey }: Credentials, now: Date): string {
  const { method, host, path, query = '', range, bodyBytes, payloadHash } = request;
  const timestamp = `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  const scope = `${timestamp.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const signedHeaders = 'host;x-amz-content-sha256;x-amz-date';
  const canonical = [
    method,
    path,
    query,
    `host:${host}\nx-amz-content-sha256:${payloadHash}\nx-amz-date:${timestamp}\n`,
    signedHeaders,
    payloadHash,
  ].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const signature = hmac(Buffer.from(key), `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hash}`).toString('hex');
  return (
    `${method} ${query === '' ? path : `${path}?${query}`} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${bodyBytes}\r\n` +
    (range === undefined ? '' : `range: ${range}\r\n`) +
    `x-amz-content-sha256: ${payloadHash}\r\nx-amz-date: ${timestamp}\r\n` +
    `authorization: AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}\r\n\r\n`
  );
}
