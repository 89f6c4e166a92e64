import type { KeyErrorCode } from './key-provider.ts';

/** How a call to a key service ended: a closed set, fit for a metric label. `aborted`: nobody waited any more. */
export type KeyOutcome = 'ok' | KeyErrorCode | 'aborted' | 'error';

/** Which of the two caches: of bucket keys to wrap under, or of bucket keys that were unwrapped to read. */
type KeyCacheKind = 'wrap' | 'unwrap';

/**
 * How old the version is that an object was read under: `previous` is within the dual-read window, `outside` was refused for
 * its age, `unknown` is not in the newest description, as of a version made a moment ago, or while the service is away.
 */
export type KeyAge = 'current' | 'previous' | 'outside' | 'unknown';

/**
 * What the key layer tells of itself, for metrics. `keyName` is always a name from the configuration, so it has few values.
 * An implementation must not throw.
 */
export interface KeyEvents {
  /** A call to the key service's wrap ended. */
  wrap(event: { readonly keyName: string; readonly outcome: KeyOutcome; readonly durationMs: number }): void;
  /** A call to the key service's unwrap ended. */
  unwrap(event: { readonly keyName: string; readonly outcome: KeyOutcome; readonly durationMs: number }): void;
  /** A key was at hand; `offline`: past its ttl, used because the key service is not available. */
  cacheHit(event: { readonly keyName: string; readonly cache: KeyCacheKind; readonly offline: boolean }): void;
  /** A key had to be asked for; callers that share one call each count. */
  cacheMiss(event: { readonly keyName: string; readonly cache: KeyCacheKind }): void;
  /** A data key was unwrapped, with or without a call, or refused because its version is too old. */
  read(event: { readonly keyName: string; readonly age: KeyAge }): void;
  /** Another version was found to be current than a moment ago: new objects are under it from now on. */
  rotated(event: { readonly keyName: string; readonly previous: string; readonly current: string }): void;
}

/** Observer that does nothing. */
export const noKeyEvents: KeyEvents = {
  wrap() {},
  unwrap() {},
  cacheHit() {},
  cacheMiss() {},
  read() {},
  rotated() {},
};
