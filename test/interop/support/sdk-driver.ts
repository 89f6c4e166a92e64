/** The compiled SDKs as the tests use them: one driver process each, which takes the calls of `clients/README.md`. */
import { createInterface } from 'node:readline';

import type { S3Access } from './backends.ts';
import type { TrustFiles } from './certificate.ts';
import { Daemon, type Command } from './processes.ts';
import { S3CallError } from './s3-client.ts';
import { javaClassPath, systemProgram, tools } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** SDKs that have a driver; the native one has the transfer manager of AWS's common runtime, all else is Java v2's. */
export type SdkName = 'go-v2' | 'java-v2' | 'java-v2-native' | 'java-v1';

const javaMains = {
  'java-v1': ['s3eg.interop.SdkV1'],
  'java-v2': ['s3eg.interop.SdkV2'],
  'java-v2-native': ['s3eg.interop.SdkV2', 'native'],
} as const;

/** What an answer or a listing tells of an object; a driver leaves out what its SDK does not tell. */
export interface SdkObject {
  readonly key?: string;
  readonly etag?: string;
  readonly lengthBytes?: number;
  readonly contentType?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** All pages of a listing. */
export interface SdkListing {
  readonly pages: number;
  readonly objects: readonly SdkObject[];
}

/** Requests that can be signed for later. */
export type PresignedOperation = 'GetObject' | 'PutObject' | 'HeadObject' | 'DeleteObject' | 'UploadPart';

/** What is signed for later; `uploadId` and `partNumber` belong to UploadPart. */
export interface PresignCall {
  readonly operation: PresignedOperation;
  readonly bucket: string;
  readonly key: string;
  readonly expiresSeconds: number;
  readonly uploadId?: string;
  readonly partNumber?: number;
  /** Headers beside Host to sign; what has to be sent is in the answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A signed request: any HTTP client sends it, with these headers. */
export interface PresignedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface DriverAnswer<Result> {
  readonly id: number;
  readonly result: Result;
  readonly error?: { readonly code: string; readonly message: string; readonly status?: number };
}

/** What a driver is started with. */
export interface SdkDriverOptions {
  /** Certificates that it trusts instead of the system's. */
  readonly trust?: TrustFiles;
}

function command(sdk: SdkName, { trust }: SdkDriverOptions): Pick<Command, 'program' | 'args'> {
  if (sdk === 'go-v2') return { program: tools.goClient, args: [] };
  // The tests are short: the quick compiler and the small collector start sooner.
  const settings = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  if (trust !== undefined) {
    settings.push(`-Djavax.net.ssl.trustStore=${trust.store}`, `-Djavax.net.ssl.trustStorePassword=${trust.password}`);
  }
  return { program: systemProgram('java'), args: [...settings, '-cp', javaClassPath, ...javaMains[sdk]] };
}

/** A driver's process. */
export class SdkDriver {
  readonly #process: Daemon;
  readonly #waiting = new Map<number, PromiseWithResolvers<string>>();
  #lastId = 0;

  private constructor(process: Daemon) {
    this.#process = process;
    const lines = createInterface({ input: process.streams.stdout });
    lines.on('line', (line) => {
      const { id }: { id: number } = JSON.parse(line);
      this.#waiting.get(id)?.resolve(line);
      this.#waiting.delete(id);
    });
    lines.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the driver ended\n${process.stderr}`));
    });
  }

  /** Starts the driver of an SDK; it ends with the workspace. */
  static async start(workspace: Workspace, sdk: SdkName, options: SdkDriverOptions = {}): Promise<SdkDriver> {
    const cwd = await workspace.folder(sdk);
    const env = {
      PATH: '/usr/bin:/bin',
      HOME: cwd,
      LANG: 'C.UTF-8',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...(options.trust === undefined ? {} : { SSL_CERT_FILE: options.trust.pem }),
    };
    return new SdkDriver(workspace.use(await Daemon.start({ ...command(sdk, options), cwd, env }, () => true)));
  }

  /** A view of one endpoint. */
  client(access: S3Access): SdkClient {
    return new SdkClient(this, access);
  }

  /**
   * Carries out one call of `clients/README.md`.
   * @throws S3CallError with the code and status that the SDK reports; code `Broken` where no server answered.
   */
  async call<Result>(access: S3Access, name: string, fields: object): Promise<Result> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<string>();
    this.#waiting.set(id, waiting);
    this.#process.streams.stdin.write(`${JSON.stringify({ id, access, command: name, ...fields })}\n`);
    const { result, error }: DriverAnswer<Result> = JSON.parse(await waiting.promise);
    if (error !== undefined) throw new S3CallError(error);
    return result;
  }
}

/** What is sent beside the bytes. */
export interface Described {
  readonly contentType?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The calls that the tests make, typed. Each throws S3CallError. */
export class SdkClient {
  readonly #driver: SdkDriver;
  readonly #access: S3Access;

  constructor(driver: SdkDriver, access: S3Access) {
    this.#driver = driver;
    this.#access = access;
  }

  async createBucket(bucket: string): Promise<void> {
    await this.call('create-bucket', { bucket });
  }

  async deleteBucket(bucket: string): Promise<void> {
    await this.call('delete-bucket', { bucket });
  }

  /** PutObject of a whole file. */
  async put(bucket: string, key: string, file: string, described: Described = {}): Promise<SdkObject> {
    return await this.call('put', { bucket, key, file, ...described });
  }

  /** GetObject into a file; `range` as the header has it, with both ends. */
  async get(bucket: string, key: string, file: string, range?: string): Promise<SdkObject> {
    return await this.call('get', { bucket, key, file, ...(range === undefined ? {} : { range }) });
  }

  async head(bucket: string, key: string): Promise<SdkObject> {
    return await this.call('head', { bucket, key });
  }

  /** ListObjectsV2 over all pages of `pageSize` keys. */
  async list(bucket: string, pageSize: number, prefix = ''): Promise<SdkListing> {
    return await this.call('list', { bucket, pageSize, prefix });
  }

  async copy(bucket: string, key: string, to: { readonly bucket: string; readonly key: string }): Promise<SdkObject> {
    return await this.call('copy', { bucket, key, toBucket: to.bucket, toKey: to.key });
  }

  async delete(bucket: string, key: string): Promise<void> {
    await this.call('delete', { bucket, key });
  }

  /** DeleteObjects in one request. */
  async deleteAll(bucket: string, keys: readonly string[]): Promise<{ deleted: number; errors: number }> {
    return await this.call('delete', { bucket, keys });
  }

  /** A multipart upload of a file, in parts of these lengths. */
  async multipart(
    bucket: string,
    key: string,
    file: string,
    partLengths: readonly number[],
    described: Described = {},
  ): Promise<SdkObject> {
    return await this.call('multipart', { bucket, key, file, partLengths, ...described });
  }

  /** The SDK's transfer manager, as it comes. */
  async upload(bucket: string, key: string, file: string): Promise<SdkObject> {
    return await this.call('upload', { bucket, key, file });
  }

  /** The SDK's transfer manager, as it comes. */
  async download(bucket: string, key: string, file: string): Promise<void> {
    await this.call('download', { bucket, key, file });
  }

  /** Signs a request for later; nothing is sent. */
  async presign(call: PresignCall): Promise<PresignedRequest> {
    return await this.call('presign', call);
  }

  /** Any other call. */
  async call<Result>(name: string, fields: object): Promise<Result> {
    return await this.#driver.call(this.#access, name, fields);
  }
}
