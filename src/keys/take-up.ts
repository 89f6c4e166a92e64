import { describeTtlOf } from './description-cache.ts';
import type { KeyProvider } from './key-provider.ts';

/** For the answer of the key service, and for what is being written meanwhile. */
const slackMs = 5_000;

/** What is known of when gateways had taken up the version that came after another one. */
export interface TakeUp {
  /** How long at most after a rotation a gateway that reaches the key service writes under the version of before. */
  readonly withinMs: number;
  /** When the next version became current, in milliseconds since the epoch; undefined where nobody tells. */
  readonly supersededMs: number | undefined;
}

/**
 * When nothing new comes under each old version any more, by version. Gateways ask the key service what is current, or make a
 * bucket key and learn it, whichever comes first.
 * @param ttlMs how long a bucket key serves.
 */
export async function takeUpsOf(
  provider: KeyProvider,
  { ttlMs, signal }: { readonly ttlMs: number; readonly signal?: AbortSignal },
): Promise<ReadonlyMap<string, TakeUp>> {
  const withinMs = Math.min(describeTtlOf(provider), ttlMs) + slackMs;
  const { versions } = await provider.describe(signal);
  const times = await provider.versionTimesMs?.(signal);
  return new Map(
    versions.slice(1).map((version, index) => [version, { withinMs, supersededMs: times?.get(versions[index] ?? '') }]),
  );
}

/** How many milliseconds it is yet from a time on, 0 where it is over; undefined where nobody knows. */
export function leftAt({ withinMs, supersededMs }: TakeUp, atMs: number): number | undefined {
  return supersededMs === undefined ? undefined : Math.max(0, supersededMs + withinMs - atMs);
}
