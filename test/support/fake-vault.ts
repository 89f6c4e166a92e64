/**
 * Vault's HTTP API as far as a Transit key and its logins go, for failures that the real server does not produce on demand. The
 * real one is held to the same contract by test/key-services.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

import { FakeServer } from './fake-server.ts';

interface TransitKey {
  /** When each version was made, as Vault tells it: in seconds. */
  readonly madeSeconds: number[];
  readonly versions: Buffer[];
  readonly derived: boolean;
  readonly type: string;
  minDecryption: number;
  minAvailable: number;
}

/** What a request says. */
export interface VaultCall {
  readonly method: string;
  /** Below `/v1/`, without query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, string | number | undefined>>;
}

interface Answer {
  readonly status: number;
  readonly body?: object;
}

const missing: Answer = { status: 404, body: { errors: [] } };
const denied: Answer = { status: 403, body: { errors: ['permission denied'] } };

/** A server of the fake. */
export class FakeVault extends FakeServer {
  readonly calls: VaultCall[] = [];
  /** Decides before the fake does; undefined: the fake answers. `silent` gives no answer at all. */
  intercept: (call: VaultCall) => Answer | 'silent' | undefined = () => undefined;
  /** Status of `sys/health`. */
  health = 200;
  /** Whether associated data is passed over, as old servers do. */
  ignoresAssociatedData = false;
  readonly tokens = new Set<string>();
  /** Lease of tokens that are given out at login, in seconds, and whether they can be renewed. */
  lease = { seconds: 0, renewable: false };
  readonly #keys = new Map<string, TransitKey>();

  static async start(): Promise<FakeVault> {
    const fake = new FakeVault();
    await fake.up();
    return fake;
  }

  createKey(name: string, { derived = false, type = 'aes256-gcm96' } = {}): void {
    this.#keys.set(name, {
      versions: [randomBytes(32)],
      madeSeconds: [1_767_225_600],
      derived,
      type,
      minDecryption: 1,
      minAvailable: 0,
    });
  }

  rotate(name: string): void {
    const key = this.#keys.get(name);
    key?.versions.push(randomBytes(32));
    key?.madeSeconds.push(Math.floor(Date.now() / 1000));
  }

  /** A token that may do everything. */
  newToken(): string {
    const token = `hvs.${randomBytes(12).toString('hex')}`;
    this.tokens.add(token);
    return token;
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.calls.filter((call) => call.path === path).length;
  }

  protected override async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const call: VaultCall = {
      method: request.method ?? '',
      path: (request.url ?? '').replace('/v1/', '').replace(/\?.*/, ''),
      headers: request.headers,
      body: body === '' ? {} : JSON.parse(body),
    };
    this.calls.push(call);
    const answer = this.intercept(call) ?? this.#answer(call);
    if (answer === 'silent') return;
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  }

  #answer(call: VaultCall): Answer {
    if (call.path === 'sys/health') return { status: this.health, body: {} };
    if (this.health >= 500) return { status: 503, body: { errors: ['Vault is sealed'] } };
    if (/^auth\/.+\/login$/.test(call.path)) return this.#logIn(call.body);
    const token = String(call.headers['x-vault-token']);
    if (!this.tokens.has(token)) return { status: 403, body: { errors: ['permission denied', 'invalid token'] } };
    if (call.path === 'auth/token/lookup-self') {
      return { status: 200, body: { data: { ttl: this.lease.seconds, renewable: this.lease.renewable } } };
    }
    if (call.path === 'auth/token/renew-self') return this.#lease(token);
    return this.#transit(call);
  }

  #logIn(body: VaultCall['body']): Answer {
    const isKnown = body['secret_id'] === 'right-secret' || body['jwt'] === 'right-jwt';
    return isKnown ? this.#lease(this.newToken()) : { status: 400, body: { errors: ['invalid role or secret ID'] } };
  }

  #lease(token: string): Answer {
    const { seconds, renewable } = this.lease;
    return { status: 200, body: { auth: { client_token: token, lease_duration: seconds, renewable } } };
  }

  #transit({ method, path, body }: VaultCall): Answer {
    const [, operation = '', name = '', change] = path.split('/');
    const key = this.#keys.get(name);
    if (key === undefined || !path.startsWith('transit/')) return operation === 'keys' ? missing : denied;
    if (operation === 'encrypt') return this.#encrypt(key, body);
    if (operation === 'decrypt') return this.#decrypt(key, body);
    if (change === 'rotate') this.rotate(name);
    if (change === 'config') key.minDecryption = Number(body['min_decryption_version']);
    if (change === 'trim') key.minAvailable = Number(body['min_available_version']);
    return method === 'GET' || change === 'rotate' ? describe(key) : { status: 204 };
  }

  #encrypt(key: TransitKey, body: VaultCall['body']): Answer {
    const version = key.versions.length;
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', subkey(key, version, body), iv).setAAD(this.#aadOf(body));
    const sealed = [iv, cipher.update(String(body['plaintext']), 'base64'), cipher.final(), cipher.getAuthTag()];
    return {
      status: 200,
      body: { data: { ciphertext: `vault:v${version}:${Buffer.concat(sealed).toString('base64')}` } },
    };
  }

  #decrypt(key: TransitKey, body: VaultCall['body']): Answer {
    const [, version = '', sealed = ''] = /^vault:v(\d+):(.*)$/.exec(String(body['ciphertext'])) ?? [];
    if (Number(version) < key.minDecryption || key.versions[Number(version) - 1] === undefined) {
      return { status: 400, body: { errors: ['ciphertext or signature version is disallowed by policy'] } };
    }
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', subkey(key, Number(version), body), bytes.subarray(0, 12));
      decipher.setAAD(this.#aadOf(body)).setAuthTag(bytes.subarray(-16));
      const opened = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
      return { status: 200, body: { data: { plaintext: opened.toString('base64') } } };
    } catch {
      return { status: 400, body: { errors: ['cipher: message authentication failed'] } };
    }
  }

  #aadOf(body: VaultCall['body']): Buffer {
    return Buffer.from(this.ignoresAssociatedData ? '' : String(body['associated_data'] ?? ''), 'base64');
  }
}

function subkey({ versions, derived }: TransitKey, version: number, body: VaultCall['body']): Buffer {
  const key = versions[version - 1] ?? Buffer.alloc(32);
  return derived ? createHash('sha256').update(key).update(String(body['context'])).digest() : key;
}

function describe({ versions, madeSeconds, derived, type, minDecryption, minAvailable }: TransitKey): Answer {
  const data = {
    type,
    derived,
    latest_version: versions.length,
    min_decryption_version: minDecryption,
    min_available_version: minAvailable,
    keys: Object.fromEntries(madeSeconds.map((seconds, index) => [String(index + 1), seconds])),
  };
  return { status: 200, body: { data } };
}
