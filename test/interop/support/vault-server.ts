/** A real Vault or OpenBao, as `.ci/setup-interop` has it, and what an administrator does there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Agent, request, type Dispatcher } from 'undici';

import type { Daemon } from './processes.ts';
import { repository } from './tools.ts';
import { launchers, type VaultProduct } from './vault-launch.ts';
import { freePort, type Workspace } from './workspace.ts';

/** What a Vault is started with. */
export interface VaultOptions {
  /** Files of a certificate and its key; without them it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  /** Default: `vault`. */
  readonly product?: VaultProduct;
  /** Path of a namespace that is made, and in which everything is done from then on; only OpenBao has them. */
  readonly namespace?: string;
}

/** An answer of Vault's. */
interface Answer {
  readonly status: number;
  readonly body: {
    readonly auth?: Record<string, unknown>;
    readonly data?: Record<string, unknown>;
    readonly [field: string]: unknown;
  };
}

/** A Vault that runs. */
export class VaultServer implements AsyncDisposable {
  readonly address: string;
  /** Where everything is done; undefined: in the root namespace. */
  readonly namespace: string | undefined;
  readonly #folder: string;
  readonly #port: number;
  readonly #tls: VaultOptions['tls'];
  readonly #product: VaultProduct;
  readonly #dispatcher: Dispatcher;
  #process: Daemon | undefined;
  #rootToken = '';
  #unsealKey = '';

  private constructor(
    folder: string,
    port: number,
    { tls, product = 'vault', namespace }: VaultOptions,
    dispatcher: Dispatcher,
  ) {
    this.#product = product;
    this.namespace = namespace;
    this.address = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#port = port;
    this.#tls = tls;
    this.#dispatcher = dispatcher;
  }

  /** Starts a fresh one, unsealed, with the Transit engine and the login methods; it ends with the workspace. */
  static async start(workspace: Workspace, options: VaultOptions = {}): Promise<VaultServer> {
    const { tls } = options;
    const ca = tls === undefined ? undefined : await readFile(tls.ca, 'utf8');
    const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
    const vault = new VaultServer(await workspace.folder('vault'), await freePort(), options, dispatcher);
    workspace.use(vault);
    await vault.startProcess();
    await vault.#makeNamespaces();
    await vault.ok('POST', 'sys/mounts/transit', { type: 'transit' });
    for (const method of ['approle', 'kubernetes', 'cert'])
      await vault.ok('POST', `sys/auth/${method}`, { type: method });
    return vault;
  }

  get rootToken(): string {
    return this.#rootToken;
  }

  get output(): string {
    return `${this.#process?.stdout}${this.#process?.stderr}`;
  }

  /** Starts it again with all that it kept, on the same port, and unsealed. */
  async startProcess(): Promise<void> {
    const { process, rootToken, unsealKey } = await launchers[this.#product]({
      folder: this.#folder,
      port: this.#port,
      tls: this.#tls,
      ask: (path, body) => this.#ask(path, body),
    });
    this.#process = process;
    this.#rootToken = rootToken;
    this.#unsealKey = unsealKey;
    await this.#untilActive();
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
  }

  async seal(): Promise<void> {
    await this.#ask('sys/seal', {});
  }

  async unseal(): Promise<void> {
    await this.#ask('sys/unseal', { key: this.#unsealKey });
    await this.#untilActive();
  }

  /** An unsealed server takes a moment to become the active one. */
  async #untilActive(): Promise<void> {
    while ((await this.#send('GET', 'sys/health')).status !== 200) await delay(50);
  }

  /** Asks it as an administrator, or with another token. */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, token = this.#rootToken): Promise<Answer> {
    const namespace = this.namespace === undefined ? '' : `${this.namespace}/`;
    return await this.#send(method, `${namespace}${path}`, body, token);
  }

  /** Asks something of the server as such, which is in no namespace. */
  async #ask(path: string, body: object): Promise<Answer['body']> {
    const answer = await this.#send('POST', path, body, this.#rootToken);
    if (answer.status >= 300) throw new Error(`${path} gave ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async #makeNamespaces(): Promise<void> {
    let path = '';
    for (const name of this.namespace?.split('/') ?? []) {
      await this.#ask(`${path}sys/namespaces/${name}`, {});
      path += `${name}/`;
    }
  }

  async #send(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, token = ''): Promise<Answer> {
    const answer = await request(`${this.address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': token, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      dispatcher: this.#dispatcher,
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: text === '' ? {} : JSON.parse(text) };
  }

  /** As `call`, and fails unless it is done. */
  async ok(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, token?: string): Promise<Answer['body']> {
    const answer = await this.call(method, path, body, token);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path} gave ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  async createKey(name: string, options: object = {}): Promise<void> {
    await this.ok('POST', `transit/keys/${name}`, options);
  }

  async rotate(name: string): Promise<void> {
    await this.ok('POST', `transit/keys/${name}/rotate`);
  }

  /** Writes a policy that is one of the blocks of the documentation, for the key of this name. */
  async usePolicy(name: string, key: string, title: PolicyTitle): Promise<void> {
    const policy = (await documentedPolicy(title)).replaceAll('KEY', key);
    await this.ok('POST', `sys/policies/acl/${name}`, { policy });
  }

  /** A role for AppRole logins with these policies, and a secret for it. */
  async appRole(
    name: string,
    policies: readonly string[],
    options: object = {},
  ): Promise<{ readonly roleId: string; readonly secretId: string }> {
    await this.ok('POST', `auth/approle/role/${name}`, { token_policies: policies, ...options });
    const { data: role } = await this.ok('GET', `auth/approle/role/${name}/role-id`);
    const { data: secret } = await this.ok('POST', `auth/approle/role/${name}/secret-id`);
    return { roleId: String(role?.['role_id']), secretId: String(secret?.['secret_id']) };
  }

  /** A token with these policies. */
  async token(policies: readonly string[], options: object = {}): Promise<string> {
    const { auth } = await this.ok('POST', 'auth/token/create', { policies, no_default_policy: false, ...options });
    return String(auth?.['client_token']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#dispatcher.destroy();
  }
}

/** Headings of the policies in the documentation. */
export type PolicyTitle = 'Vault policy of the gateway' | 'Vault policy of who rotates';

/** The policy as the documentation gives it: what administrators copy is what is tested. */
async function documentedPolicy(title: PolicyTitle): Promise<string> {
  const text = await readFile(join(repository, 'docs/KMS_COMPATIBILITY.md'), 'utf8');
  const [, policy] = text.slice(text.indexOf(`### ${title}\n`)).split(/^```(?:hcl)?$/m);
  if (policy === undefined) throw new Error(`no policy under "${title}"`);
  return policy;
}
