import type { ConnectionOptions } from 'node:tls';

import { sha256Hex } from './checksums.ts';
import { type Credentials, type Gateway, type Listener, rootCredentials } from './gateway.ts';
import { RawConnection, requestHead } from './raw-connection.ts';
import type { S3Response } from './response.ts';
import {
  encodePath,
  presign,
  type Query,
  queryText,
  signHeaders,
  type SigningOptions,
  type ToSign,
} from './signing.ts';

/** A request to S3; text in headers is sent as UTF-8. */
export interface S3Request {
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string;
  /** Percent-encoded path as it is sent, instead of that of bucket and key. */
  readonly rawPath?: string;
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** `x-amz-content-sha256`; default: the hash of the body. */
  readonly payloadHash?: string;
  readonly credentials?: Credentials;
  readonly at?: Date;
}

/** Options of a client. */
export interface ClientOptions {
  readonly credentials?: Credentials;
  /** Host header; default: address and port. */
  readonly host?: string;
  /** Speaks TLS. */
  readonly tls?: ConnectionOptions;
}

/** A small S3 client whose every byte the test decides. */
export class S3Client implements Disposable {
  readonly host: string;
  readonly credentials: Credentials;
  readonly #listener: Listener;
  readonly #tls: ConnectionOptions | undefined;
  /** Connections that no request is on. */
  readonly #idle: RawConnection[] = [];

  constructor(gateway: Pick<Gateway, 's3'>, options: ClientOptions = {}) {
    this.#listener = gateway.s3;
    this.host = options.host ?? `${gateway.s3.host}:${gateway.s3.port}`;
    this.credentials = options.credentials ?? rootCredentials;
    this.#tls = options.tls;
  }

  [Symbol.dispose](): void {
    for (const connection of this.#idle) connection[Symbol.dispose]();
  }

  /** Signs in the Authorization header and sends. */
  async send(request: S3Request): Promise<S3Response> {
    return this.sendRaw({ ...request, ...(await this.signed(request)) });
  }

  /** Target and headers of a request that is signed in the Authorization header. */
  async signed(request: S3Request): Promise<{ readonly target: string; readonly headers: Record<string, string> }> {
    const headers = await signHeaders(this.toSign(request), this.#signing(request));
    return { target: targetOf(request), headers };
  }

  /** Path and query of a presigned request; every header given is signed, `x-amz-*` in the query where it `hoists`. */
  async presign(request: S3Request & { readonly expiresSeconds?: number; readonly hoists?: boolean }): Promise<string> {
    const { headers, ...rest } = this.toSign(request);
    const { 'x-amz-content-sha256': _, ...signed } = headers;
    return presign(
      { ...rest, headers: signed },
      {
        ...this.#signing(request),
        expiresSeconds: request.expiresSeconds ?? 3600,
        hoists: request.hoists ?? false,
      },
    );
  }

  /** Sends what is given, unsigned. */
  async sendRaw(request: {
    readonly method: string;
    readonly target: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Uint8Array | string;
  }): Promise<S3Response> {
    const { method, target, headers = {}, body = '' } = request;
    const connection = this.#reusable() ?? (await RawConnection.open(this.#listener, this.#tls));
    connection.write(requestHead(method, target, { host: this.host, ...headers }));
    if (body.length > 0) connection.write(Buffer.from(body));
    const answer = await connection.answer(method);
    if (answer.headers['connection'] === 'close') connection[Symbol.dispose]();
    else this.#idle.push(connection);
    return answer;
  }

  #reusable(): RawConnection | undefined {
    for (let found = this.#idle.pop(); found !== undefined; found = this.#idle.pop()) {
      if (!found.isClosed && !found.socket.readableEnded) return found;
      found[Symbol.dispose]();
    }
    return undefined;
  }

  /** What a request is signed over. */
  toSign(request: S3Request): ToSign {
    const { method, headers = {}, query = {}, body = '' } = request;
    return {
      method,
      path: pathOf(request),
      query,
      headers: {
        host: this.host,
        'x-amz-content-sha256': request.payloadHash ?? sha256Hex(body),
        ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    };
  }

  #signing(request: S3Request): SigningOptions {
    return {
      credentials: request.credentials ?? this.credentials,
      ...(request.at === undefined ? {} : { at: request.at }),
    };
  }

  // The requests that most tests make.

  async createBucket(bucket: string): Promise<S3Response> {
    return this.send({ method: 'PUT', bucket });
  }

  async put(
    bucket: string,
    key: string,
    body: Uint8Array | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<S3Response> {
    return this.send({ method: 'PUT', bucket, key, body, headers });
  }

  async get(bucket: string, key: string, headers: Readonly<Record<string, string>> = {}): Promise<S3Response> {
    return this.send({ method: 'GET', bucket, key, headers });
  }

  async head(bucket: string, key: string, headers: Readonly<Record<string, string>> = {}): Promise<S3Response> {
    return this.send({ method: 'HEAD', bucket, key, headers });
  }

  async delete(bucket: string, key: string, headers: Readonly<Record<string, string>> = {}): Promise<S3Response> {
    return this.send({ method: 'DELETE', bucket, key, headers });
  }
}

/** Percent-encoded path of a request. */
function pathOf({ bucket, key, rawPath }: S3Request): string {
  if (rawPath !== undefined) return rawPath;
  if (bucket === undefined) return '/';
  return encodePath(key === undefined ? `/${bucket}` : `/${bucket}/${key}`);
}

/** Path and query of a request. */
export function targetOf(request: S3Request): string {
  const query = queryText(request.query ?? {});
  return query === '' ? pathOf(request) : `${pathOf(request)}?${query}`;
}
