import { globMatch, globPrefixMatch } from './glob.ts';

/** What an access key may do; `admin` covers creating and deleting buckets. */
export const actions = ['read', 'write', 'delete', 'list', 'admin'] as const;

/** One of `actions`. */
export type Action = (typeof actions)[number];

/** A permission: every action on every bucket and prefix that is named. Patterns may hold `*`. */
export interface Grant {
  readonly buckets: readonly string[];
  /** Beginnings of keys; `''` is the whole bucket. */
  readonly prefixes: readonly string[];
  readonly actions: readonly Action[];
}

/** What somebody wants to do: on one key, on all keys with a prefix, or (neither given) on the bucket as a whole. */
export interface AccessRequest {
  readonly action: Action;
  readonly bucket: string;
  readonly key?: string;
  readonly prefix?: string;
}

/** Whether one of the grants covers the request; nothing is allowed by default. */
export function isAllowed(grants: readonly Grant[], request: AccessRequest): boolean {
  const reach = request.key ?? request.prefix ?? '';
  return grants.some(
    (grant) =>
      grant.actions.includes(request.action) &&
      grant.buckets.some((pattern) => globMatch(pattern, request.bucket)) &&
      grant.prefixes.some((prefix) => globPrefixMatch(prefix, reach)),
  );
}

/** Whether a bucket is shown in a list of buckets: whether any grant is about it. */
export function seesBucket(grants: readonly Grant[], bucket: string): boolean {
  return grants.some((grant) => grant.buckets.some((pattern) => globMatch(pattern, bucket)));
}
