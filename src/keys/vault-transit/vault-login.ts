import { readFile } from 'node:fs/promises';

import { KeyError } from '../key-provider.ts';
import type { VaultAnswer } from './vault-answer.ts';
import type { VaultClient, VaultRequest } from './vault-client.ts';
import type { VaultAuth } from './vault-options.ts';

const maxSecretFileBytes = 65_536;

/** A token, and how long it is good for. */
export interface VaultToken {
  readonly value: string;
  /** Missing: it does not end. */
  readonly leaseMs?: number;
  readonly renewable: boolean;
}

/**
 * Logs in. Secrets that stand in files are read anew each time, because whoever puts them there replaces them.
 * @throws KeyError `denied` where Vault refuses, `misconfigured` for a file that cannot be read, `unavailable`.
 */
export async function logIn(client: VaultClient, auth: VaultAuth, signal?: AbortSignal): Promise<VaultToken> {
  if (auth.method === 'token') return lookUpToken(client, await tokenOf(auth), signal);
  const answer = await client.send(await loginRequest(auth), signal);
  return tokenIn(answer) ?? refuseLogin(answer, `login by ${auth.method} at auth/${auth.mount}`);
}

/**
 * Asks for more time.
 * @returns undefined where Vault does not give any.
 * @throws KeyError `unavailable`.
 */
export async function renewToken(client: VaultClient, { value }: VaultToken): Promise<VaultToken | undefined> {
  return tokenIn(await client.send({ method: 'POST', path: ['auth', 'token', 'renew-self'], body: {}, token: value }));
}

async function tokenOf({ token, tokenFile }: Extract<VaultAuth, { method: 'token' }>): Promise<string> {
  return tokenFile === undefined ? (token ?? '') : readSecret(tokenFile);
}

/** A token that was given: how long it lasts only Vault knows, and a token may be forbidden to ask. */
async function lookUpToken(client: VaultClient, value: string, signal?: AbortSignal): Promise<VaultToken> {
  const answer = await client.send({ method: 'GET', path: ['auth', 'token', 'lookup-self'], token: value }, signal);
  if (answer.status >= 500) throw serverFailure(answer);
  const data = answer.fields.section('data');
  const ttlSeconds = data.count('ttl') ?? 0;
  return { value, renewable: data.flag('renewable'), ...(ttlSeconds === 0 ? {} : { leaseMs: ttlSeconds * 1000 }) };
}

async function loginRequest(auth: Exclude<VaultAuth, { method: 'token' }>): Promise<VaultRequest> {
  return { method: 'POST', path: ['auth', auth.mount, 'login'], body: await credentialsOf(auth) };
}

async function credentialsOf(auth: Exclude<VaultAuth, { method: 'token' }>): Promise<Record<string, string>> {
  if (auth.method === 'kubernetes') return { role: auth.role, jwt: await readSecret(auth.tokenFile) };
  if (auth.method === 'cert') return auth.role === undefined ? {} : { name: auth.role };
  const secretId = auth.secretIdFile === undefined ? auth.secretId : await readSecret(auth.secretIdFile);
  return { role_id: auth.roleId, ...(secretId === undefined ? {} : { secret_id: secretId }) };
}

function tokenIn({ status, fields }: VaultAnswer): VaultToken | undefined {
  const auth = fields.section('auth');
  const value = auth.text('client_token');
  if (status !== 200 || value === undefined || value === '') return undefined;
  const leaseSeconds = auth.count('lease_duration') ?? 0;
  const lease = leaseSeconds === 0 ? {} : { leaseMs: leaseSeconds * 1000 };
  return { value, renewable: auth.flag('renewable'), ...lease };
}

function refuseLogin(answer: VaultAnswer, what: string): never {
  if (answer.status >= 500 || answer.status === 429) throw serverFailure(answer);
  throw new KeyError('denied', `Vault refused the ${what} (${answer.status}${said(answer)}): check role and secret`);
}

/** What a server that is there and fails says of itself. */
export function serverFailure(answer: VaultAnswer): KeyError {
  const what = answer.status === 503 ? 'is sealed or not ready' : 'fails';
  return new KeyError('unavailable', `Vault ${what} (${answer.status}${said(answer)})`);
}

function said({ errorText }: VaultAnswer): string {
  return errorText === '' ? '' : `: ${errorText}`;
}

async function readSecret(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new KeyError('misconfigured', `the file ${path} for the login at Vault cannot be read`, { cause: error });
  }
  const text = bytes.toString('utf8').trim();
  if (text !== '' && bytes.length <= maxSecretFileBytes) return text;
  throw new KeyError('misconfigured', `the file ${path} for the login at Vault is empty or too long`);
}
