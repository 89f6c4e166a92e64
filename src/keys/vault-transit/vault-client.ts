import { setTimeout as delay } from 'node:timers/promises';

import { Pool } from 'undici/index.js';

import { KeyError } from '../key-provider.ts';
import { parseAnswer, type VaultAnswer } from './vault-answer.ts';
import type { VaultTransitOptions } from './vault-options.ts';

const maxConnections = 16;
const maxAnswerBytes = 1_048_576;
const firstBackoffMs = 50;
const keepAliveTimeoutMs = 30_000;

/** One request below `/v1/`. */
export interface VaultRequest {
  readonly method: 'GET' | 'POST';
  /** Segments of the path, not yet escaped. */
  readonly path: readonly string[];
  /** Raw query, without `?`. */
  readonly query?: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly token?: string;
  /** Whether it goes to the root namespace, whatever the configuration says. */
  readonly rootNamespace?: boolean;
  /** Further tries; by default those of the configuration. */
  readonly retries?: number;
}

/**
 * HTTP to one Vault server over a small pool of connections. Each try is bounded in time, answers in size. What is worth a
 * further try gets one: no answer, a rate limit, a server that is failing. Both encrypting and decrypting twice do no harm.
 */
export class VaultClient {
  readonly #options: VaultTransitOptions;
  readonly #pool: Pool;

  constructor(options: VaultTransitOptions) {
    this.#options = options;
    const { ca, cert, key } = options.tls ?? {};
    this.#pool = new Pool(options.address, {
      connections: maxConnections,
      keepAliveTimeout: keepAliveTimeoutMs,
      connect: {
        timeout: options.timeoutMs,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      },
    });
  }

  /**
   * The answer, whatever its status.
   * @throws KeyError `unavailable` where none came in time; the signal's reason.
   */
  async send(request: VaultRequest, signal?: AbortSignal): Promise<VaultAnswer> {
    const endMs = performance.now() + 2 * this.#options.timeoutMs;
    const retries = request.retries ?? this.#options.retries;
    for (let attempt = 0; ; attempt++) {
      const waitMs = firstBackoffMs * 2 ** attempt * (0.5 + Math.random() / 2);
      const isLast = attempt >= retries || performance.now() + waitMs >= endMs;
      const answer = await this.#attempt(request, { signal, isLast });
      if (answer !== undefined) return answer;
      await delay(waitMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** Undefined where another try may help, and there is one. */
  async #attempt(
    request: VaultRequest,
    { signal, isLast }: { readonly signal: AbortSignal | undefined; readonly isLast: boolean },
  ): Promise<VaultAnswer | undefined> {
    signal?.throwIfAborted();
    try {
      const answer = await this.#once(request, signal);
      return isLast || !isTransient(answer.status) ? answer : undefined;
    } catch (error) {
      signal?.throwIfAborted();
      if (isLast || error instanceof KeyError) throw this.#unavailable(error);
      return undefined;
    }
  }

  async #once(request: VaultRequest, signal: AbortSignal | undefined): Promise<VaultAnswer> {
    const { timeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const { statusCode, body } = await this.#pool.request({
      method: request.method,
      path: pathOf(request),
      headers: this.#headersOf(request),
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    return parseAnswer(statusCode, await readBounded(body));
  }

  #headersOf({ token, rootNamespace }: VaultRequest): Record<string, string> {
    const { namespace } = this.#options;
    // What HTTP does not allow must not reach the pool, which would lose a connection for good with it.
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
      throw new KeyError('denied', 'the Vault token has characters that no token has');
    }
    return {
      'content-type': 'application/json',
      'x-vault-request': 'true',
      ...(namespace === undefined || rootNamespace === true ? {} : { 'x-vault-namespace': namespace }),
      ...(token === undefined ? {} : { 'x-vault-token': token }),
    };
  }

  #unavailable(error: unknown): KeyError {
    if (error instanceof KeyError) return error;
    const { address, timeoutMs } = this.#options;
    const timedOut = error instanceof DOMException && error.name === 'TimeoutError';
    const reason = timedOut ? `no answer within ${timeoutMs} ms` : reasonOf(error);
    return new KeyError('unavailable', `Vault at ${address} cannot be reached: ${reason}`, { cause: error });
  }
}

function pathOf({ path, query }: VaultRequest): string {
  const escaped = path.map((segment) => segment.split('/').map(encodeURIComponent).join('/'));
  return `/v1/${escaped.join('/')}${query === undefined ? '' : `?${query}`}`;
}

/** 412: a replica that has not caught up; 429: rate limit. A sealed server (503) may be one of several behind a balancer. */
function isTransient(status: number): boolean {
  return status === 412 || status === 429 || status >= 500;
}

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  for await (const chunk of body) {
    lengthBytes += chunk.length;
    if (lengthBytes > maxAnswerBytes) throw new KeyError('unavailable', 'what answers is not Vault: too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, lengthBytes);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  return 'code' in error && typeof error.code === 'string' ? `${error.code} (${error.message})` : error.message;
}
