/** The folder of the demo with all that is in it, and the commands that are run there. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Gateway, logLines, madeCredentials, type LogLine } from './gateway.ts';
import type { KmsTool } from './kms.ts';
import { plainEnvironment, type Command, type Finished } from './processes.ts';
import { Provider } from './provider.ts';
import { awsCommand, s3egCommand, show } from './stage-commands.ts';
import type { Stage } from './stage.ts';
import type { Tool } from './tools.ts';

/** The buckets, each under a key of its own. */
export const buckets = ['letters', 'invoices'] as const;

export type Bucket = (typeof buckets)[number];

/** What stands in every object: nobody but the gateway's clients may find it. */
export const sentence = 'For the eyes of the addressee only.';

/** Programs that are not the gateway's. */
export interface Tools {
  readonly vault: Tool;
  readonly kms: KmsTool;
  readonly aws: string;
  readonly npm: string;
}

/** Where the demo takes place. */
export class Site {
  readonly stage: Stage;
  readonly tools: Tools;
  readonly folder: string;
  readonly provider: Provider;
  readonly #earlierLogs: string[] = [];
  readonly #contents = new Map<string, Buffer>();
  #env: Command['env'];
  #gateway: Gateway | undefined;
  #reads = 0;

  constructor(stage: Stage, tools: Tools, folder: string) {
    this.stage = stage;
    this.tools = tools;
    this.folder = folder;
    this.provider = new Provider(join(folder, 'data'));
    this.#env = {
      ...plainEnvironment(),
      S3EG_DATA_DIR: join(folder, 'data'),
      // s3eg runs often here: it is compiled once.
      NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
      // The stand-in takes any credentials. These files are not there: those of whoever runs the demo stay out of it.
      AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      AWS_SECRET_ACCESS_KEY: randomBytes(18).toString('base64url'),
      AWS_CONFIG_FILE: join(folder, 'no-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'no-credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  }

  get env(): Command['env'] {
    return this.#env;
  }

  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error('the gateway does not run yet');
    return this.#gateway;
  }

  /** Everything that the gateway logged, also before it was started again. */
  get logText(): string {
    return [...this.#earlierLogs, this.gateway.logText].join('');
  }

  get logs(): readonly LogLine[] {
    return logLines(this.logText);
  }

  /** The secret of the S3 clients' access key. */
  get secretAccessKey(): string {
    return this.#env['AWS_SECRET_ACCESS_KEY'] ?? '';
  }

  /** Environment variables for all that is started from now on. */
  setEnv(variables: Command['env']): void {
    this.#env = { ...this.#env, ...variables };
  }

  /** Starts the gateway, and lets the AWS CLI talk to it. */
  async startGateway(): Promise<void> {
    if (this.#gateway !== undefined) this.#earlierLogs.push(this.#gateway.logText);
    this.stage.command('npm start -- --config gateway.yaml');
    this.#gateway = await Gateway.start(this.tools.npm, join(this.folder, 'gateway.yaml'), this.#env);
    const { accessKeyId, secretAccessKey } = await madeCredentials(join(this.folder, 'data'));
    this.setEnv({
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_ENDPOINT_URL_S3: this.#gateway.endpoint,
    });
  }

  /** Runs `aws`, shown with what it says; it must end well unless `mayFail`. */
  async aws(args: readonly string[], mayFail = false): Promise<Finished> {
    return succeeded(args, await show(this.stage, awsCommand(this.tools.aws), args, this.#place()), mayFail);
  }

  /** As `aws`, with arguments for each bucket; both run at once. */
  async awsInEach(args: (bucket: Bucket) => readonly string[], mayFail = false): Promise<void> {
    await Promise.all(buckets.map((bucket) => this.aws(args(bucket), mayFail)));
  }

  /** Runs `s3eg` with the rights of the operator. */
  async s3eg(...args: readonly string[]): Promise<string> {
    const finished = await show(this.stage, s3egCommand, args, this.#place());
    return succeeded(args, finished, false).stdout;
  }

  /** Writes new files for a bucket, which `allReadable` expects there from now on. */
  async writeFiles(bucket: Bucket, names: readonly string[]): Promise<void> {
    await mkdir(join(this.folder, 'plain', bucket), { recursive: true });
    for (const name of names) {
      const content = Buffer.from(
        `${bucket}/${name}\n${`${sentence}\n`.repeat(3000)}${randomBytes(30).toString('hex')}\n`,
      );
      await writeFile(join(this.folder, 'plain', bucket, name), content);
      this.#contents.set(join(bucket, name), content);
    }
  }

  /** Copies both buckets into a new folder, and says whether each file is there as it was written. */
  async allReadable(): Promise<boolean> {
    const into = `read-${++this.#reads}`;
    await this.awsInEach((bucket) => ['s3', 'sync', '--only-show-errors', `s3://${bucket}`, join(into, bucket)], true);
    for (const [path, content] of this.#contents) {
      const read = await readFile(join(this.folder, into, path)).catch(() => undefined);
      if (read?.equals(content) !== true) return false;
    }
    return true;
  }

  #place(): Pick<Command, 'cwd' | 'env'> {
    return { cwd: this.folder, env: { ...this.#env, S3EG_CONFIG: join(this.folder, 'operator.yaml') } };
  }
}

function succeeded(args: readonly string[], finished: Finished, mayFail: boolean): Finished {
  if (mayFail || finished.code === 0) return finished;
  throw new Error(`"${args.join(' ')}" ended with ${finished.code}: ${finished.stderr}`);
}
