import { systemClock, type Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { KeyDescription, KeyProvider } from './key-provider.ts';

const defaultTtlMs = 5_000;

/** How long what a provider said of its versions is taken for the present, in milliseconds. */
export function describeTtlOf(provider: Pick<KeyProvider, 'describeTtlMs'>): number {
  return provider.describeTtlMs ?? defaultTtlMs;
}

/** What a provider said of its versions, and when. */
export interface DatedDescription extends KeyDescription {
  /** Time of asking, in milliseconds since the epoch: what happened later is not in it. */
  readonly askedAtMs: number;
}

/** A provider's `describe`, kept for a few seconds; callers at the same time share one call. */
export class DescriptionCache {
  readonly #provider: KeyProvider;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #flights = new SingleFlight<'describe', DatedDescription>();
  #last: DatedDescription | undefined;

  constructor(
    provider: KeyProvider,
    { clock = systemClock, ttlMs = describeTtlOf(provider) }: { clock?: Clock; ttlMs?: number } = {},
  ) {
    this.#provider = provider;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /** The newest description, however old; undefined before the first. */
  get last(): DatedDescription | undefined {
    return this.#last;
  }

  /** A description of at most the ttl's age. */
  async get(signal?: AbortSignal): Promise<DatedDescription> {
    if (this.#last !== undefined) {
      const ageMs = this.#clock.now() - this.#last.askedAtMs;
      if (ageMs >= 0 && ageMs < this.#ttlMs) return this.#last;
    }
    return this.#share(signal);
  }

  /** A description asked for no earlier than now; one that is under way already may be too old, so another follows it. */
  async refresh(signal?: AbortSignal): Promise<DatedDescription> {
    const nowMs = this.#clock.now();
    const shared = await this.#share(signal);
    return shared.askedAtMs >= nowMs ? shared : this.#share(signal);
  }

  #share(signal: AbortSignal | undefined): Promise<DatedDescription> {
    return this.#flights.run('describe', (shared) => this.#ask(shared), signal);
  }

  async #ask(signal: AbortSignal): Promise<DatedDescription> {
    const askedAtMs = this.#clock.now();
    const description = await this.#provider.describe(signal);
    this.#last = { ...description, askedAtMs };
    return this.#last;
  }
}
