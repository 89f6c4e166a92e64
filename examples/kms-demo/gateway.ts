/** The gateway of the demo: its configuration, the process, and what it tells of itself. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { region } from './kms.ts';
import { Server, type Command } from './processes.ts';
import { repository } from './tools.ts';
import { transitKey, type AppRole } from './vault.ts';

/** File of the audit events, in the folder of the demo. */
export const auditFile = 'audit.jsonl';

/** What a configuration of the demo depends on. */
export interface KeyServices {
  readonly vaultAddress: string;
  readonly kmsEndpoint: string;
  /** ARNs of KMS keys that the alias meant earlier, and that are still read. */
  readonly previousKmsKeys: readonly string[];
}

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

/**
 * Writes a configuration that logs in to Vault as `role`, into `<name>.yaml`, and what is secret in it beside it.
 * @returns its text.
 */
export async function writeConfiguration(
  folder: string,
  name: string,
  role: AppRole,
  services: KeyServices,
): Promise<string> {
  const secrets = join(folder, `${name}-secrets`);
  await mkdir(secrets, { recursive: true, mode: 0o700 });
  await writeFile(join(secrets, 'role-id'), role.roleId, { mode: 0o600 });
  await writeFile(join(secrets, 'secret-id'), role.secretId, { mode: 0o600 });
  const text = `keys:
  vault:
    type: vault-transit
    address: ${services.vaultAddress}
    key: ${transitKey}
    auth: { method: approle, roleId: "\${file:${secrets}/role-id}", secretIdFile: ${secrets}/secret-id }
  aws:
    type: aws-kms
    keyId: alias/s3eg
    previousKeyIds: [${services.previousKmsKeys.join(', ')}]
    region: ${region}
    endpoint: ${services.kmsEndpoint} # a stand-in; without this line it is AWS
policies: # which bucket is under which key; other buckets are refused
  - { name: letters, match: { buckets: [letters] }, encryption: { key: vault } }
  - { name: invoices, match: { buckets: [invoices] }, encryption: { key: aws } }
dataKeyCache: { ttl: 5s } # 5 minutes unless said otherwise; short, so that the demo is
audit: { sinks: [{ type: file, file: ${join(folder, auditFile)} }] }
`;
  await writeFile(join(folder, `${name}.yaml`), text);
  return text;
}

/** A gateway that runs. */
export class Gateway {
  /** Where S3 clients reach it. */
  readonly endpoint: string;
  readonly #admin: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = addressIn(server, 'gateway started');
    this.#admin = addressIn(server, 'admin listener started');
  }

  /** Starts it by `npm start`, on free ports. */
  static async start(npm: string, config: string, env: Command['env']): Promise<Gateway> {
    const command = {
      program: npm,
      args: ['start', '--silent', '--', '--config', config],
      cwd: repository,
      env: { ...env, S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0' },
    };
    return new Gateway(await Server.start(command, ({ stdout }) => stdout.includes('"admin listener started"')));
  }

  /** All that it wrote to standard output: its log. */
  get logText(): string {
    return this.#server.stdout;
  }

  /** What the admin listener answers at a path. */
  async admin(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`${this.#admin}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  /** Ends it as a supervisor does; gives its exit code. */
  async stop(): Promise<number | null> {
    return await this.#server.stop();
  }
}

/** Lines of Prometheus text that are of these metrics, without those that are 0. */
export function metricLines(text: string, names: readonly string[]): readonly string[] {
  return text.split('\n').filter((line) => names.some((name) => line.startsWith(`${name}{`)) && !line.endsWith(' 0'));
}

/** Sum of a metric over all its series that have these labels. */
export function metricSum(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return metricLines(text, [name])
    .filter((line) => wanted.every((pair) => line.includes(pair)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The access key that the gateway made at its first start. */
export async function madeCredentials(
  dataDir: string,
): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
  const document: {
    readonly credentials: readonly { readonly accessKeyId: string; readonly secretAccessKey: string }[];
  } = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8'));
  const [first] = document.credentials;
  if (first === undefined) throw new Error('the gateway made no credentials');
  return first;
}

function addressIn({ stdout }: Server, message: string): string {
  const address = logLines(stdout).find((line) => line['message'] === message)?.['address'];
  if (typeof address !== 'string') throw new Error(`no address in the log:\n${stdout}`);
  return address;
}

/** The lines of a log that are whole. */
export function logLines(text: string): readonly LogLine[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): LogLine => JSON.parse(line));
}
