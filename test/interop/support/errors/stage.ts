/** The same scene on every server: what the rows of errors ask about. */
import { textOf } from '../../../e2e/support/xml.ts';
import { S3Client, type S3Request } from '../../../e2e/support/client.ts';
import { RawConnection, requestHead } from '../../../e2e/support/raw-connection.ts';
import type { S3Response } from '../../../e2e/support/response.ts';
import type { S3Access } from '../backends.ts';
import { until } from '../workspace.ts';

/** What one request came to: `404 NoSuchKey`; a status alone where there is no document. */
export interface Answer {
  readonly outcome: string;
  readonly response: S3Response;
}

/** What a row asks. The bucket is the stage's unless `bucket` says another one; `null` is none. */
export interface Call extends Omit<S3Request, 'bucket' | 'credentials' | 'method'> {
  readonly method?: string;
  readonly bucket?: string | null;
  /** Default: signed in the Authorization header. */
  readonly how?: 'signed' | 'presigned' | 'unsigned';
  readonly expiresSeconds?: number;
  readonly secretAccessKey?: string;
  readonly accessKeyId?: string;
  /** Changes what is sent after it was signed. */
  readonly tamper?: (sent: Sent) => Sent;
  /** Says that it sends no more after its last byte, as a client that goes away does. */
  readonly isCut?: boolean;
}

/** A request as it goes out. */
export interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** Content of the object `k` of every stage. */
export const content = '0123456789';

/** A bucket with objects, an upload and tags on one server. */
export class Stage {
  readonly access: S3Access;
  /** Holds `k`, `empty` and the upload of `mp`. */
  readonly bucket: string;
  /** Has versions, where the server has any. */
  readonly versioned: string;
  uploadId = '';
  /** ETags of `k` and of parts 1 and 2 of the upload, each of few bytes. */
  etag = '';
  /** When `k` was written, as its Last-Modified says. */
  modified = '';
  partEtags: readonly string[] = [];
  /** In the versioned bucket `k` has this version, and a delete marker above it. */
  versionId = '';
  markerId = '';
  readonly #s3: S3Client;
  readonly #listener: { readonly host: string; readonly port: number };

  constructor(name: string, access: S3Access) {
    this.access = access;
    this.bucket = `${name}-errors`;
    this.versioned = `${name}-errors-versioned`;
    const { hostname, port } = new URL(access.endpoint);
    this.#listener = { host: hostname, port: Number(port) };
    this.#s3 = new S3Client({ s3: this.#listener }, { credentials: access });
  }

  /** Creates all that the rows count on. */
  async set({ hasVersions }: { readonly hasVersions: boolean }): Promise<void> {
    // MinIO says that it is ready a moment before it takes requests.
    await until('a server that takes requests', async () => (await this.ask({ bucket: null })).outcome === '200');
    await this.#done({ method: 'PUT' });
    this.etag = (await this.#done({ method: 'PUT', key: 'k', body: content })).etag;
    this.modified = (await this.#done({ method: 'HEAD', key: 'k' })).headers['last-modified'] ?? '';
    await this.#done({ method: 'PUT', key: 'empty', body: '' });
    const created = await this.#done({ method: 'POST', key: 'mp', query: { uploads: '' } });
    this.uploadId = textOf(created.xml, 'UploadId') ?? '';
    const parts: string[] = [];
    for (const number of ['1', '2']) {
      const query = { partNumber: number, uploadId: this.uploadId };
      parts.push((await this.#done({ method: 'PUT', key: 'mp', query, body: `part ${number}` })).etag);
    }
    this.partEtags = parts;
    if (hasVersions) await this.#setVersions();
  }

  async #setVersions(): Promise<void> {
    const bucket = this.versioned;
    await this.#done({ method: 'PUT', bucket });
    const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
    await this.#done({ method: 'PUT', bucket, query: { versioning: '' }, body });
    const put = await this.#done({ method: 'PUT', bucket, key: 'k', body: content });
    this.versionId = put.headers['x-amz-version-id'] ?? '';
    const marked = await this.#done({ method: 'DELETE', bucket, key: 'k' });
    this.markerId = marked.headers['x-amz-version-id'] ?? '';
  }

  async #done(call: Call): Promise<S3Response> {
    const { response, outcome } = await this.ask(call);
    if (response.status >= 300) throw new Error(`${call.method} ${call.key ?? ''}: ${outcome} ${response.text}`);
    return response;
  }

  /** Sends what a row asks. */
  async ask(call: Call): Promise<Answer> {
    const sent = await this.#signed(call);
    const response = await this.#send(call.tamper?.(sent) ?? sent, call.isCut === true);
    return { response, outcome: outcomeOf(response) };
  }

  async #signed(call: Call): Promise<Sent> {
    const { method = 'GET', bucket = this.bucket, how = 'signed', body = '', ...rest } = call;
    const { accessKeyId = this.access.accessKeyId, secretAccessKey = this.access.secretAccessKey } = call;
    const credentials = { accessKeyId, secretAccessKey };
    const request: S3Request = {
      ...rest,
      method,
      credentials,
      ...(call.body === undefined ? {} : { body }),
      ...(bucket === null ? {} : { bucket }),
    };
    const length = body.length === 0 ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    if (how === 'presigned') {
      const target = await this.#s3.presign(request);
      return { method, target, headers: { host: this.#s3.host, ...length, ...call.headers }, body };
    }
    const { target, headers } = await this.#s3.signed(request);
    if (how === 'signed') return { method, target, headers, body };
    return { method, target, headers: { host: this.#s3.host, ...length, ...call.headers }, body };
  }

  async #send({ method, target, headers, body }: Sent, isCut: boolean): Promise<S3Response> {
    using connection = await RawConnection.open(this.#listener);
    connection.write(requestHead(method, target, { ...headers, connection: 'close' }));
    if (body.length > 0) connection.write(Buffer.from(body));
    if (isCut) connection.socket.end();
    return await connection.answer(method);
  }
}

function outcomeOf(response: S3Response): string {
  const code = /<Code>([^<]*)<\/Code>/.exec(response.text)?.[1];
  return code === undefined ? String(response.status) : `${response.status} ${code}`;
}
