import type { Health } from '../base/health.ts';
import type { AuditActor, AuditEvent } from './audit-event.ts';
import type { AuditTrail } from './audit-trail.ts';

/** A version of a key that follows another one. */
interface Rotated {
  readonly keyName: string;
  readonly previous: string;
  readonly current: string;
}

interface Failed {
  readonly keyName: string;
  readonly error: unknown;
}

/** A key that does not fit a bucket's canary. */
export interface CanaryMismatch extends Failed {
  readonly backend: string;
  readonly bucket: string;
}

/** What a rotation tells while it is made. */
export interface RotationAudit {
  started(event: { readonly keyName: string }): Promise<void>;
  rotated(event: Rotated): Promise<void>;
  failed(event: Failed): Promise<void>;
}

/** Code of an error as events have it. */
export function errorCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** Turns what the parts of the gateway tell of its keys into audit events. */
export class KeyAudit {
  readonly #trail: AuditTrail;
  readonly #unusable = new Set<string>();

  constructor(trail: AuditTrail) {
    this.#trail = trail;
  }

  /** For a rotation that `by` makes. */
  rotationBy(by: AuditActor): RotationAudit {
    return {
      started: ({ keyName }) =>
        this.#record({ event: 'key_rotation_started', outcome: 'begun', ...by, key_name: keyName }),
      rotated: (event) => this.#record({ event: 'key_rotation_finished', outcome: 'ok', ...by, ...versionsOf(event) }),
      failed: ({ keyName, error }) => {
        const fields = { key_name: keyName, error_code: errorCodeOf(error) };
        return this.#record({ event: 'key_rotation_failed', outcome: 'failed', ...by, ...fields });
      },
    };
  }

  /** A rotation that is due is another replica's. */
  async rotationSkipped({ keyName, reason }: { readonly keyName: string; readonly reason: string }): Promise<void> {
    const fields = { actor: 'schedule', key_name: keyName, reason } as const;
    await this.#record({ event: 'key_rotation_skipped', outcome: 'skipped', ...fields });
  }

  /** Another version was found to be current. */
  async takenUp(event: Rotated): Promise<void> {
    await this.#record({ event: 'key_version_taken_up', outcome: 'ok', actor: 'gateway', ...versionsOf(event) });
  }

  /** A key does not fit a canary. */
  async canaryMismatch({ keyName, error, ...place }: CanaryMismatch, by: AuditActor): Promise<void> {
    const detail = error instanceof Error ? error.message : undefined;
    const fields = { ...place, key_name: keyName, error_code: errorCodeOf(error), detail };
    await this.#record({ event: 'canary_mismatch', outcome: 'failed', ...by, ...fields });
  }

  /** A check of a key's health that also tells when the key becomes unusable, and usable again. */
  watched(keyName: string, check: (signal?: AbortSignal) => Promise<Health>): (signal: AbortSignal) => Promise<Health> {
    return async (signal) => {
      const health = await check(signal);
      // Somebody who waits no longer has not seen that the service is gone.
      if (!signal.aborted) void this.#noteHealth(keyName, health);
      return health;
    };
  }

  async #noteHealth(keyName: string, { ok, reason: detail, isAway = false }: Health): Promise<void> {
    const fields = { actor: 'gateway', key_name: keyName } as const;
    if (ok && this.#unusable.delete(keyName)) {
      await this.#record({ event: 'key_usable', outcome: 'ok', ...fields });
    } else if (!ok && !this.#unusable.has(keyName)) {
      this.#unusable.add(keyName);
      const why = { reason: isAway ? 'away' : 'refused', detail };
      await this.#record({ event: 'key_unusable', outcome: 'failed', ...fields, ...why });
    }
  }

  async #record(event: AuditEvent): Promise<void> {
    await this.#trail.record(event);
  }
}

function versionsOf({ keyName, previous, current }: Rotated): {
  readonly key_name: string;
  readonly key_version: string;
  readonly previous_version?: string;
} {
  return { key_name: keyName, key_version: current, ...(previous === '' ? {} : { previous_version: previous }) };
}
