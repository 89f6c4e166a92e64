import { SingleFlight } from '../../base/single-flight.ts';
import type { VaultAnswer } from './vault-answer.ts';
import type { VaultClient, VaultRequest } from './vault-client.ts';
import { logIn, renewToken, type VaultToken } from './vault-login.ts';
import type { VaultAuth } from './vault-options.ts';

/** After a refusal Vault is asked for a new token at most this often: the refusal may well be meant. */
const reloginIntervalMs = 5_000;
const retryRenewalMs = 5_000;
/** Longest time that a timer of Node can wait. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Requests with a token that is kept alive: it is renewed when two thirds of its time are over, or replaced by a new login
 * where it cannot be renewed any further. A refusal leads to one new login and one more try, because a token may have been
 * revoked, or may have ended while the machine slept.
 */
export class VaultSession {
  readonly #client: VaultClient;
  readonly #auth: VaultAuth;
  readonly #logins = new SingleFlight<'login', VaultToken>();
  #held: VaultToken | undefined;
  #reloginMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(client: VaultClient, auth: VaultAuth) {
    this.#client = client;
    this.#auth = auth;
  }

  /**
   * The answer to a request that was sent with the session's token.
   * @throws KeyError as `logIn` and `VaultClient.send`.
   */
  async send(request: VaultRequest, signal?: AbortSignal): Promise<VaultAnswer> {
    const held = this.#held ?? (await this.#logIn(signal));
    const answer = await this.#client.send({ ...request, token: held.value }, signal);
    if (answer.status !== 403 || !this.#mayLogInAgain(held)) return answer;
    const next = await this.#logIn(signal);
    return this.#client.send({ ...request, token: next.value }, signal);
  }

  /** Forgets the token, and lets it alone. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#held = undefined;
  }

  /** Whether another token may help; lets go of the refused one then. */
  #mayLogInAgain(refused: VaultToken): boolean {
    if (this.#held !== refused) return true;
    if (performance.now() - this.#reloginMs < reloginIntervalMs) return false;
    this.#reloginMs = performance.now();
    this.#held = undefined;
    return true;
  }

  async #logIn(signal: AbortSignal | undefined): Promise<VaultToken> {
    return (
      this.#held ??
      this.#logins.run('login', async (shared) => this.#hold(await logIn(this.#client, this.#auth, shared)), signal)
    );
  }

  #hold(token: VaultToken): VaultToken {
    if (this.#closed) return token;
    this.#held = token;
    if (token.leaseMs !== undefined) this.#plan(token, (token.leaseMs * 2) / 3);
    return token;
  }

  #plan(held: VaultToken, afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#keepAlive(held), Math.min(afterMs, maxTimerMs)).unref();
  }

  async #keepAlive(held: VaultToken): Promise<void> {
    if (this.#closed || this.#held !== held) return;
    try {
      const next = await this.#successorOf(held);
      if (next !== undefined && this.#held === held) this.#hold(next);
    } catch {
      // Whoever needs the token next is told why there is none.
      if (this.#held === held) this.#plan(held, retryRenewalMs);
    }
  }

  /** A token that was given has no successor but in its file, which is read when the token is refused. */
  async #successorOf(held: VaultToken): Promise<VaultToken | undefined> {
    const renewed = held.renewable ? await renewToken(this.#client, held) : undefined;
    if (this.#auth.method === 'token' || (renewed !== undefined && !isNearItsEnd(renewed, held))) return renewed;
    return logIn(this.#client, this.#auth);
  }
}

/** Whether a renewal gave little: the token's longest life is nearly over. */
function isNearItsEnd(renewed: VaultToken, before: VaultToken): boolean {
  return renewed.leaseMs !== undefined && before.leaseMs !== undefined && renewed.leaseMs < before.leaseMs / 2;
}
