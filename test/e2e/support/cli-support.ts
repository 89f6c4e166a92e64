import { spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

import { SignatureV4 } from '@smithy/signature-v4';

import { runCli } from '../../../src/cli/program.ts';
import { runtimeProgram } from '../../support/runtimes.ts';

const root = join(import.meta.dirname, '..', '..', '..');
/** The command as people start it. */
export const launcher = join(root, 'bin', 's3eg.mjs');
/** What `npm start` runs. */
export const startScript = join(root, 'src', 'main.ts');

/** What a command said and how it ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where to put what is to happen when a test, or a suite, is over: its context, or `node:test` itself. */
export interface Cleanups {
  after(cleanup: () => Promise<void>): void;
}

/** A folder that goes with the test. */
export async function temporaryFolder(context: Cleanups): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's3eg-cli-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment without settings of whoever runs the tests. */
function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('S3EG_') && !name.startsWith('npm_'));
  return { ...Object.fromEntries(kept.map(([name, value]) => [name, value ?? ''])), ...extra };
}

/** Makes a Node believe that it is an older one; what runs is the branch for older ones. */
export const pretendNode20 = [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } });",
  )}`,
] as const;

/** Starts a program with its output piped. */
export function start(
  command: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
) {
  const [program, ...args] = command;
  return spawn(program, args, {
    cwd: options.cwd,
    env: cleanEnvironment(options.env),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Collects what a started program says until it ends. */
export async function finish(child: ReturnType<typeof start>, input = ''): Promise<CommandResult> {
  child.stdin.on('error', () => {}); // it need not read its input
  child.stdin.end(input);
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (texts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (texts.stderr += text));
  await once(child, 'close');
  return { code: child.exitCode, signal: child.signalCode, ...texts };
}

/** Runs `s3eg` to its end. */
export function s3eg(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly input?: string },
): Promise<CommandResult> {
  return finish(start([runtimeProgram(), launcher, ...args], options), options.input);
}

/** Runs `s3eg` within this process: the same but for the launcher, and many times faster. */
export async function s3egHere(args: readonly string[], { cwd }: { readonly cwd: string }): Promise<CommandResult> {
  const texts = { stdout: '', stderr: '' };
  const code = await runCli(args, {
    env: {},
    cwd,
    out: (text) => void (texts.stdout += text),
    err: (text) => void (texts.stderr += text),
    errIsTerminal: false,
  });
  return { code, signal: null, ...texts };
}

/** A Node on the PATH that is older than what the gateway runs on; undefined where there is none. */
export function olderNode(): string | undefined {
  const candidates = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => !path.includes('node_modules') && existsSync(path));
  return candidates.find((path) => {
    const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
    return Number(/^v(\d+)\./.exec(stdout)?.[1] ?? Number.POSITIVE_INFINITY) < 24;
  });
}

/** A gateway process on the embedded store, with its data below `folder`. */
export interface TestGateway {
  readonly endpoint: string;
  readonly child: ReturnType<typeof start>;
  readonly client: TestClient;
  /** What it said on standard error so far. */
  readonly complaints: () => string;
  /** Waits for a message in its log. */
  readonly logged: (message: string) => Promise<void>;
  /** Ends it by SIGTERM and gives its exit code. */
  readonly stop: () => Promise<number | null>;
}

/** Starts a gateway as `npm start` does, or by another command, and waits until it serves. */
export async function startGateway(
  context: Cleanups,
  folder: string,
  command: readonly [string, ...string[]] = [runtimeProgram(), startScript],
): Promise<TestGateway> {
  const env = { S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0' };
  const child = start(command, { cwd: folder, env });
  const ended = once(child, 'close');
  context.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (complaint += text));
  const log = new EventEmitter();
  const address = once(log, 'gateway started');
  readLog(child, log);
  const [endpoint] = await Promise.race([address, ended]);
  if (typeof endpoint !== 'string') throw new Error(`the gateway did not start: ${complaint}`);
  return {
    endpoint,
    child,
    client: await TestClient.of(endpoint, join(folder, 'data', 'credentials.json')),
    complaints: () => complaint,
    logged: async (message) => void (await once(log, message)),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      return child.exitCode;
    },
  };
}

/** Emits every line of the log by its message, with the address that it names; reads on, so that nobody waits for us. */
function readLog(child: ReturnType<typeof start>, log: EventEmitter): void {
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry: { readonly message: string; readonly address?: string } = JSON.parse(line);
    log.emit(entry.message, entry.address);
  });
}

/** SHA-256 in the form that @smithy/signature-v4 takes. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('not used by the signer');
  }
}

function bytesOf(input: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof input === 'string') return Buffer.from(input);
  if (ArrayBuffer.isView(input)) return Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  return Buffer.from(input);
}

/** What an S3 server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A put whose body is being sent. */
export interface OpenPut {
  readonly body: Writable;
  /** What is answered, or why nothing is. */
  readonly status: Promise<number | Error>;
}

interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** As much of an S3 client as these tests need; signs as the AWS SDK for JavaScript does. */
export class TestClient {
  readonly #endpoint: URL;
  readonly #signer: SignatureV4;

  private constructor(endpoint: string, credentials: { accessKeyId: string; secretAccessKey: string }) {
    this.#endpoint = new URL(endpoint);
    this.#signer = new SignatureV4({
      credentials,
      region: 'us-east-1',
      service: 's3',
      sha256: Sha256,
      uriEscapePath: false,
      applyChecksum: false,
    });
  }

  static async of(endpoint: string, credentialsFile: string): Promise<TestClient> {
    const document: unknown = JSON.parse(await readFile(credentialsFile, 'utf8'));
    return new TestClient(endpoint, firstCredential(document));
  }

  createBucket(bucket: string): Promise<Answer> {
    return this.#succeed({ method: 'PUT', path: `/${bucket}` });
  }

  put(bucket: string, key: string, body: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#succeed({ method: 'PUT', path: pathOf(bucket, key), body, headers });
  }

  /** Uploads in parts, the last one first. */
  async putParts(
    bucket: string,
    key: string,
    parts: readonly Uint8Array[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const path = pathOf(bucket, key);
    const created = await this.#succeed({ method: 'POST', path, query: { uploads: '' }, headers });
    const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(created.body.toString())?.[1] ?? '';
    const etags: string[] = [];
    for (const [index, body] of [...parts.entries()].toReversed()) {
      const query = { partNumber: String(index + 1), uploadId };
      const answer = await this.#succeed({ method: 'PUT', path, query, body });
      etags[index] = answer.headers['etag'] ?? '';
    }
    const list = etags.map((etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
    const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
    await this.#succeed({ method: 'POST', path, query: { uploadId }, body });
  }

  /** Starts to put an object, until the gateway asks for its bytes; ends well if exactly `lengthBytes` are written. */
  async startPut(bucket: string, key: string, lengthBytes: number): Promise<OpenPut> {
    const path = pathOf(bucket, key);
    const headers = {
      'content-length': String(lengthBytes),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      expect: '100-continue',
    };
    const outgoing = request(await this.#sign({ method: 'PUT', path, headers }));
    const status = new Promise<number | Error>((resolve) => {
      outgoing.once('response', (response) => resolve(response.resume().statusCode ?? 0)).once('error', resolve);
    });
    outgoing.flushHeaders();
    await once(outgoing, 'continue');
    return { body: outgoing, status };
  }

  async #succeed(wanted: ClientRequest): Promise<Answer> {
    const answer = await this.send(wanted);
    if (answer.status >= 300)
      throw new Error(`${wanted.method} ${wanted.path}: ${answer.status} ${answer.body.toString()}`);
    return answer;
  }

  async send({ body = Buffer.alloc(0), ...wanted }: ClientRequest): Promise<Answer> {
    const headers = {
      ...wanted.headers,
      'content-length': String(body.length),
      'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
    };
    const outgoing = request(await this.#sign({ ...wanted, headers }));
    outgoing.end(body);
    const [response] = await once(outgoing, 'response');
    const chunks: Uint8Array[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
  }

  async #sign({ method, path, query = {}, headers = {} }: Omit<ClientRequest, 'body'>): Promise<RequestOptions> {
    const { protocol, hostname, host, port } = this.#endpoint;
    const signed = await this.#signer.sign({
      method,
      protocol,
      hostname,
      port: Number(port),
      path,
      query,
      headers: { ...headers, host },
    });
    const search = new URLSearchParams(query).toString();
    return { hostname, port, method, path: `${path}${search === '' ? '' : `?${search}`}`, headers: signed.headers };
  }
}

function pathOf(bucket: string, key: string): string {
  return `/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

function firstCredential(document: unknown): { accessKeyId: string; secretAccessKey: string } {
  if (typeof document === 'object' && document !== null && 'credentials' in document) {
    const [first]: unknown[] = Array.isArray(document.credentials) ? document.credentials : [];
    if (typeof first === 'object' && first !== null && 'accessKeyId' in first && 'secretAccessKey' in first) {
      return { accessKeyId: String(first.accessKeyId), secretAccessKey: String(first.secretAccessKey) };
    }
  }
  throw new Error('the credentials file has no credential');
}
