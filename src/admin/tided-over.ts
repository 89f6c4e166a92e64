import { systemClock, type Clock } from '../base/clock.ts';
import type { HealthCheck } from './readiness.ts';

/** Shorter than `/ready` itself waits for an answer, which would not come through here. */
const patienceMs = 2_500;

/**
 * A key service's check for `/ready`: while the service is away, and was well within `offlineTtlMs`, keys in memory serve on, so
 * the gateway is ready, with the reason. Otherwise a balancer would take every replica out at once, and nothing would be served.
 */
export function tidedOver(
  check: HealthCheck,
  { offlineTtlMs, clock = systemClock }: { readonly offlineTtlMs: number; readonly clock?: Clock },
): HealthCheck {
  let wellMs = -Infinity;
  return async (signal) => {
    const patience = AbortSignal.timeout(patienceMs);
    const health = await check(AbortSignal.any([signal, patience]));
    if (health.ok) {
      wellMs = clock.now();
      return health;
    }
    const { reason = 'it does not answer', isAway = false } = health;
    if (!(isAway || patience.aborted) || clock.now() - wellMs >= offlineTtlMs) return health;
    return { ok: true, reason: `${reason}; keys in memory serve on` };
  };
}
