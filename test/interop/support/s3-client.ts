/** SDKs as the tests use them: one process each, any number of endpoints. */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { execPath } from 'node:process';

import type { S3Access } from './backends.ts';
import { Daemon } from './processes.ts';
import { clientScripts, jsFolder, tools } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** A call that the server refused, or that broke. */
export class S3CallError extends Error {
  readonly code: string;
  /** Missing where there was no answer. */
  readonly status: number | undefined;
  readonly requestId: string | undefined;

  constructor(error: AgentError) {
    super(`${error.code}: ${error.message}`);
    this.code = error.code;
    this.status = error.status;
    this.requestId = error.requestId;
  }
}

interface AgentError {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
  readonly requestId?: string;
}

interface AgentAnswer<Result> {
  readonly id: number;
  readonly result: Result;
  readonly error?: AgentError;
}

/** Bytes of a request: themselves, a file, a part of a file, or a file that stops halfway until another one appears. */
export type Payload =
  | Uint8Array
  | { readonly $file: string; readonly first?: number; readonly length?: number }
  | { readonly $slow: string; readonly until: string };

/** A body that was received. */
export interface ReceivedBody {
  readonly length: number;
  readonly sha256: string;
  /** Why it ended before its announced length; null where it did not. */
  readonly broken: string | null;
}

/** The process; `client` gives a view of one endpoint. */
export class S3Agent {
  readonly #process: Daemon;
  readonly #waiting = new Map<number, (answer: string) => void>();
  #lastId = 0;

  private constructor(process: Daemon) {
    this.#process = process;
    createInterface({ input: process.streams.stdout }).on('line', (line) => {
      const { id }: { id: number } = JSON.parse(line);
      this.#waiting.get(id)?.(line);
      this.#waiting.delete(id);
    });
  }

  /** Starts boto3. */
  static async start(workspace: Workspace): Promise<S3Agent> {
    return await S3Agent.#run(workspace, tools.python, [join(clientScripts, 's3_agent.py')]);
  }

  /** Starts the AWS SDK for JavaScript, which takes the same calls and two of its own (`upload`, `presign`). */
  static async startJs(workspace: Workspace): Promise<S3Agent> {
    return await S3Agent.#run(workspace, execPath, [join(clientScripts, 'js/s3-agent.mjs'), jsFolder]);
  }

  static async #run(workspace: Workspace, program: string, args: readonly string[]): Promise<S3Agent> {
    const cwd = await workspace.folder('agent');
    const env = { PATH: '/usr/bin:/bin', HOME: cwd, AWS_EC2_METADATA_DISABLED: 'true' };
    const process = await Daemon.start({ program, args, cwd, env }, () => true);
    return new S3Agent(workspace.use(process));
  }

  client(access: S3Access): S3Client {
    return new S3Client(this, access);
  }

  /**
   * Calls a method of a boto3 client. The result has the shape that boto3 documents for it.
   * @throws S3CallError
   */
  async call<Result>(access: S3Access, method: string, params: object, save?: string): Promise<Result> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.set(id, resolve);
    this.#process.streams.stdin.write(`${JSON.stringify({ id, access, method, params, save })}\n`);
    const { result, error }: AgentAnswer<Result> = JSON.parse(await promise);
    if (error !== undefined) throw new S3CallError(error);
    return result;
  }
}

/** What is said of an object. */
export interface ObjectHead {
  readonly ETag: string;
  readonly ContentLength: number;
  readonly ContentType?: string;
  readonly LastModified: string;
  readonly Metadata: Readonly<Record<string, string>>;
  readonly ChecksumCRC32?: string;
  readonly ResponseMetadata: { readonly HTTPHeaders: Readonly<Record<string, string>> };
}

/** An object with its body, which is in a file where one was named. */
export interface ReceivedObject extends ObjectHead {
  readonly ContentRange?: string;
  readonly Body: ReceivedBody;
}

/** An entry of a listing. */
export interface Listed {
  readonly Key: string;
  readonly Size: number;
  readonly ETag: string;
}

/** A part as Complete names it. */
export interface PartName {
  readonly PartNumber: number;
  readonly ETag: string;
}

/** Names one upload. */
export interface Upload {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

/** Further parameters of a call, as boto3 names them. */
export type Options = Readonly<Record<string, unknown>>;

function carried(payload: Payload): object {
  return payload instanceof Uint8Array ? { $base64: Buffer.from(payload).toString('base64') } : payload;
}

/** The calls that the tests make, typed. Each throws S3CallError. */
export class S3Client {
  readonly access: S3Access;
  readonly #agent: S3Agent;

  constructor(agent: S3Agent, access: S3Access) {
    this.#agent = agent;
    this.access = access;
  }

  /** Any other call. */
  async call<Result>(method: string, params: object, save?: string): Promise<Result> {
    return await this.#agent.call(this.access, method, params, save);
  }

  async createBucket(Bucket: string): Promise<void> {
    await this.call('create_bucket', { Bucket });
  }

  async put(Bucket: string, Key: string, body: Payload, options: Options = {}): Promise<{ readonly ETag: string }> {
    return await this.call('put_object', { Bucket, Key, Body: carried(body), ...options });
  }

  async get(Bucket: string, Key: string, options: Options = {}, save?: string): Promise<ReceivedObject> {
    return await this.call('get_object', { Bucket, Key, ...options }, save);
  }

  async head(Bucket: string, Key: string, options: Options = {}): Promise<ObjectHead> {
    return await this.call('head_object', { Bucket, Key, ...options });
  }

  async delete(Bucket: string, Key: string): Promise<void> {
    await this.call('delete_object', { Bucket, Key });
  }

  /** All keys of a bucket, over all pages. */
  async list(Bucket: string, options: Options = {}): Promise<readonly Listed[]> {
    const found: Listed[] = [];
    let token: string | undefined;
    do {
      const page: { Contents?: readonly Listed[]; NextContinuationToken?: string } = await this.call(
        'list_objects_v2',
        { Bucket, ...options, ...(token === undefined ? {} : { ContinuationToken: token }) },
      );
      found.push(...(page.Contents ?? []));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  }

  async createUpload(Bucket: string, Key: string, options: Options = {}): Promise<Upload> {
    const { UploadId }: { UploadId: string } = await this.call('create_multipart_upload', { Bucket, Key, ...options });
    return { Bucket, Key, UploadId };
  }

  async uploadPart(upload: Upload, PartNumber: number, body: Payload): Promise<PartName> {
    const { ETag }: { ETag: string } = await this.call('upload_part', { ...upload, PartNumber, Body: carried(body) });
    return { PartNumber, ETag };
  }

  async complete(upload: Upload, parts: readonly PartName[]): Promise<{ readonly ETag: string }> {
    const Parts = parts.toSorted((left, right) => left.PartNumber - right.PartNumber);
    return await this.call('complete_multipart_upload', { ...upload, MultipartUpload: { Parts } });
  }

  async listParts(upload: Upload): Promise<readonly { PartNumber: number; Size: number; ETag: string }[]> {
    const { Parts = [] }: { Parts?: readonly { PartNumber: number; Size: number; ETag: string }[] } = await this.call(
      'list_parts',
      upload,
    );
    return Parts;
  }
}
