/** How long a cached key serves. */
export interface CacheTimes {
  /** From the answer of the key service on, without asking again. */
  readonly ttlMs: number;
  /** After the ttl, while the key service is not available. */
  readonly offlineTtlMs: number;
}

/** `fresh`: serves; `offline`: serves only while the key service is not available; `over`: serves no more. */
export type CacheLife = 'fresh' | 'offline' | 'over';

/** Where a key that the key service answered for at `sinceMs` stands now. A clock put back makes it not fresh. */
export function cacheLife(sinceMs: number, nowMs: number, { ttlMs, offlineTtlMs }: CacheTimes): CacheLife {
  const ageMs = nowMs - sinceMs;
  if (ageMs >= 0 && ageMs < ttlMs) return 'fresh';
  return ageMs < ttlMs + offlineTtlMs ? 'offline' : 'over';
}
