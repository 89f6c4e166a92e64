/** A real Vault for the demo, and what an administrator sets up there. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { freePort } from './free-port.ts';
import { Server, type Command } from './processes.ts';
import { repository, type Tool } from './tools.ts';

/** Name of the Transit key. */
export const transitKey = 's3eg';

/** A login of the gateway, or of whoever runs its commands. */
export interface AppRole {
  readonly roleId: string;
  readonly secretId: string;
}

type Body = Readonly<Record<string, unknown>>;

/** A Vault that runs, unsealed, in memory or below the folder of the demo. */
export class Vault {
  readonly address: string;
  readonly #rootToken: string;

  private constructor(address: string, rootToken: string) {
    this.address = address;
    this.#rootToken = rootToken;
  }

  /** Starts it with the Transit engine and AppRole logins. */
  static async start(tool: Tool, folder: string, env: Command['env']): Promise<Vault> {
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    await mkdir(folder);
    const rootToken = tool.isOurs
      ? await startOurs(tool.path, folder, port, env)
      : await startDev(tool.path, folder, port, env);
    const vault = new Vault(address, rootToken);
    await vault.ok('POST', 'sys/mounts/transit', { type: 'transit' });
    await vault.ok('POST', 'sys/auth/approle', { type: 'approle' });
    return vault;
  }

  /** What must not be seen anywhere. */
  get secrets(): readonly string[] {
    return [this.#rootToken];
  }

  /** A role with the policies of docs/KMS_COMPATIBILITY.md that have these headings. */
  async role(name: string, headings: readonly string[]): Promise<AppRole> {
    for (const heading of headings) {
      await this.ok('PUT', `sys/policies/acl/${policyName(heading)}`, { policy: await documentedPolicy(heading) });
    }
    await this.ok('POST', `auth/approle/role/${name}`, { token_policies: headings.map(policyName) });
    const { data: role } = await this.ok('GET', `auth/approle/role/${name}/role-id`);
    const { data: secret } = await this.ok('POST', `auth/approle/role/${name}/secret-id`);
    return { roleId: textIn(role, 'role_id'), secretId: textIn(secret, 'secret_id') };
  }

  /** HTTP status of a request that is made with the rights of a role. */
  async statusAs({ roleId, secretId }: AppRole, method: string, path: string): Promise<number> {
    const { auth } = await this.ok('POST', 'auth/approle/login', { role_id: roleId, secret_id: secretId });
    return (await this.#call(method, path, undefined, textIn(auth, 'client_token'))).status;
  }

  /** `min_decryption_version` of the Transit key. */
  async oldestReadable(): Promise<unknown> {
    const { data } = await this.ok('GET', `transit/keys/${transitKey}`);
    return fieldsOf(data)['min_decryption_version'];
  }

  /** Asks as the administrator. @throws Error where Vault refuses. */
  async ok(method: string, path: string, body?: object): Promise<Body> {
    const answer = await this.#call(method, path, body, this.#rootToken);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Vault answered ${answer.status} to ${method} ${path}: ${text}`);
    return text === '' ? {} : fieldsOf(JSON.parse(text));
  }

  async #call(method: string, path: string, body: object | undefined, token: string): Promise<Response> {
    const headers = { 'x-vault-token': token, 'content-type': 'application/json' };
    return await fetch(`${this.address}/v1/${path}`, { method, headers, body: JSON.stringify(body) ?? null });
  }
}

/** The product, in its mode for trying things out. */
async function startDev(program: string, cwd: string, port: number, env: Command['env']): Promise<string> {
  const token = randomBytes(18).toString('base64url');
  const settings = { VAULT_DEV_ROOT_TOKEN_ID: token, VAULT_DEV_LISTEN_ADDRESS: `127.0.0.1:${port}` };
  const args = ['server', '-dev', '-dev-no-store-token'];
  await Server.start(
    { program, args, cwd, env: { ...env, ...settings } },
    async () => await isHealthy(`http://127.0.0.1:${port}`),
  );
  return token;
}

/** Vault's own core without the rest of the product, as `.ci/setup-interop` builds it. */
async function startOurs(program: string, cwd: string, port: number, env: Command['env']): Promise<string> {
  const args = ['-listen', `127.0.0.1:${port}`, '-data', cwd];
  await Server.start({ program, args, cwd, env }, ({ stdout }) => stdout.includes('listening on '));
  return textIn(JSON.parse(await readFile(join(cwd, 'init.json'), 'utf8')), 'root_token');
}

async function isHealthy(address: string): Promise<boolean> {
  try {
    return (await fetch(`${address}/v1/sys/health`)).ok;
  } catch {
    return false;
  }
}

/** The policy as administrators copy it from the documentation. */
async function documentedPolicy(heading: string): Promise<string> {
  const text = await readFile(join(repository, 'docs/KMS_COMPATIBILITY.md'), 'utf8');
  const [, policy] = text.slice(text.indexOf(`### ${heading}\n`)).split(/^```(?:hcl)?$/m);
  if (policy === undefined) throw new Error(`the documentation has no policy under "${heading}"`);
  return policy.replaceAll('KEY', transitKey);
}

function policyName(heading: string): string {
  return heading.toLowerCase().replaceAll(' ', '-');
}

function fieldsOf(value: unknown): Body {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function textIn(value: unknown, name: string): string {
  const text = fieldsOf(value)[name];
  if (typeof text !== 'string') throw new Error(`Vault's answer has no ${name}`);
  return text;
}
