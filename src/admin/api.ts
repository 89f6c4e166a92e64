import { createHash, timingSafeEqual } from 'node:crypto';

import { KeyError, type KeyProvider } from '../keys/key-provider.ts';
import { jsonAnswer, type AdminRequest, type AdminResponse } from './admin-answer.ts';

/** Who hears of a rotation while it is made; must not reject. */
export interface RotationObserver {
  started(event: { readonly keyName: string }): Promise<void>;
  rotated(event: { readonly keyName: string; readonly previous: string; readonly current: string }): Promise<void>;
  failed(event: { readonly keyName: string; readonly error: unknown }): Promise<void>;
}

/** What the API works on. */
export interface AdminApiOptions {
  /** Bearer token; without one everything is refused. */
  readonly token?: string;
  /** By name; without dual-read windows. */
  readonly keys: ReadonlyMap<string, KeyProvider>;
  /** For the rotation that a request asks for. */
  readonly rotationObserver: (request: AdminRequest) => RotationObserver;
}

const rotatePath = /^\/api\/v1\/keys\/([A-Za-z0-9._-]{1,64})\/rotate$/;

/** Answers `/api/v1/…`; undefined for a path that is not below it. */
export async function answerApi(request: AdminRequest, options: AdminApiOptions): Promise<AdminResponse | undefined> {
  const [path = ''] = request.target.split('?', 1);
  if (!path.startsWith('/api/v1/')) return undefined;
  // Before anything is told: who has no token does not learn which keys there are.
  const refusal = refused(request.headers['authorization'], options.token);
  if (refusal !== undefined) return refusal;
  const [, keyName] = rotatePath.exec(path) ?? [];
  if (keyName === undefined) return jsonAnswer(404, { error: 'not found' });
  if (request.method !== 'POST') {
    const answer = jsonAnswer(405, { error: 'method not allowed' });
    return { ...answer, headers: { ...answer.headers, allow: 'POST' } };
  }
  return await rotate(keyName, options.keys, options.rotationObserver(request));
}

async function rotate(
  keyName: string,
  keys: AdminApiOptions['keys'],
  observer: RotationObserver,
): Promise<AdminResponse> {
  const provider = keys.get(keyName);
  if (provider === undefined) return jsonAnswer(404, { error: 'no such key' });
  if (provider.rotate === undefined) return jsonAnswer(409, { error: 'this key is rotated in its key service' });
  try {
    const [previous = ''] = (await provider.describe()).versions;
    await observer.started({ keyName });
    const current = await provider.rotate();
    await observer.rotated({ keyName, previous, current });
    return jsonAnswer(200, { key: keyName, previous, current });
  } catch (error) {
    await observer.failed({ keyName, error });
    if (!(error instanceof KeyError)) throw error;
    return jsonAnswer(error.code === 'unavailable' ? 503 : 409, { error: error.message, code: error.code });
  }
}

function refused(header: string | undefined, token: string | undefined): AdminResponse | undefined {
  if (token === undefined) return jsonAnswer(403, { error: 'admin.token is not configured' });
  const [, given] = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(header ?? '') ?? [];
  if (given !== undefined && isSame(given, token)) return undefined;
  const answer = jsonAnswer(401, { error: 'a bearer token is needed' });
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Bearer' } };
}

/** In a time that depends on neither: hashes have one length. */
function isSame(given: string, token: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(token));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
