import type { BucketRequest, Gateway } from './gateway.ts';
import { maxKeysLimit } from './query.ts';

/** Sorts after every key under a prefix. */
const lastCharacter = '\u{10ffff}';

/** The first key of a bucket under `prefix` that comes after `after`, as the listing at hand sees it. */
type FirstKey = (request: BucketRequest, prefix: string, after?: string) => Promise<string | undefined>;

/**
 * How many entries a page still wants when `visible` are left of it without the gateway's own. A page of the full size
 * stays shorter, as S3 allows, rather than cost a second request; but an empty one that is not the last would stop some
 * clients, and a small page is asked for by clients that count on its size.
 */
export function entriesToAdd(maxKeys: number, visible: number): number {
  return maxKeys < maxKeysLimit || visible === 0 ? Math.max(0, maxKeys - visible) : 0;
}

/** Common prefixes of a listing behind which a client finds a key of its own. */
export async function visiblePrefixes(
  request: BucketRequest,
  gateway: Gateway,
  prefixes: readonly string[],
  firstKey: FirstKey,
): Promise<readonly string[]> {
  const { reservedPrefix } = gateway;
  const visible: string[] = [];
  for (const prefix of prefixes) {
    if (prefix.startsWith(reservedPrefix)) continue;
    // A delimiter within our own prefix gives a shorter common prefix, which other keys may share.
    if (reservedPrefix.startsWith(prefix) && !(await hasOtherKeys(request, prefix, reservedPrefix, firstKey))) continue;
    visible.push(prefix);
  }
  return visible;
}

async function hasOtherKeys(
  request: BucketRequest,
  prefix: string,
  reservedPrefix: string,
  firstKey: FirstKey,
): Promise<boolean> {
  const first = await firstKey(request, prefix);
  if (first === undefined) return false;
  if (!first.startsWith(reservedPrefix)) return true;
  return (await firstKey(request, prefix, `${reservedPrefix}${lastCharacter}`)) !== undefined;
}
