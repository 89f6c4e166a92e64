import type { AdminRequest } from '../admin/admin-answer.ts';
import type { RotationObserver } from '../admin/api.ts';
import type { KeyAudit } from '../audit/key-audit.ts';
import type { Settings } from '../config/settings.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import { RotationSchedule } from '../keys/rotation-schedule.ts';
import { RotationScheduler, type RotationEvents, type RotationLease } from '../keys/rotation-scheduler.ts';
import { StoreRotationLease } from '../maintenance/store-rotation-lease.ts';
import type { Backend } from '../operations/gateway.ts';
import type { KeyRotation, Telemetry } from '../telemetry/telemetry.ts';

interface RotationObservers {
  readonly telemetry: Telemetry;
  readonly audit: KeyAudit;
}

interface RotationParts extends RotationObservers {
  readonly keys: ReadonlyMap<string, KeyProvider>;
  readonly backends: ReadonlyMap<string, Backend>;
}

/** Rotates keys when their schedules say so; the replicas agree through the backend on who does it. */
export function scheduleRotations(settings: Settings, parts: RotationParts): RotationScheduler {
  const { keys, backends } = parts;
  const { rotationSchedules } = settings;
  return new RotationScheduler({
    schedules: new Map(Array.from(rotationSchedules, ([name, pattern]) => [name, new RotationSchedule(pattern)])),
    providers: keys,
    lease: leaseByKey(settings, backends),
    events: scheduledEvents(parts),
  });
}

/** The lease of a key is kept where its first policy keeps objects. */
function leaseByKey(settings: Settings, backends: ReadonlyMap<string, Backend>): RotationLease {
  const leases = new Map<string, RotationLease>();
  for (const name of settings.rotationSchedules.keys()) {
    const policy = settings.policies.find(({ encryption }) => encryption.key === name);
    const backend = backends.get(policy?.backend ?? '') ?? [...backends.values()][0];
    if (backend !== undefined)
      leases.set(name, new StoreRotationLease({ store: backend.store, ...settings.multipart }));
  }
  const leaseOf = (name: string): RotationLease => {
    const lease = leases.get(name);
    if (lease === undefined) throw new Error(`no backend for the rotation of key ${name}`);
    return lease;
  };
  return {
    claim: (due, claim) => leaseOf(due.keyName).claim(due, claim),
    finish: (due, version) => leaseOf(due.keyName).finish(due, version),
  };
}

function scheduledEvents({ telemetry, audit }: RotationObservers): RotationEvents {
  const recorded = audit.rotationBy({ actor: 'schedule' });
  return {
    started: (event) => void recorded.started(event),
    skipped: (event) => void audit.rotationSkipped(event),
    rotated: (event) => {
      telemetry.keyRotated(rotationOf(event), 'schedule');
      void recorded.rotated(event);
    },
    failed: (event) => {
      telemetry.keyRotationFailed(event);
      void recorded.failed(event);
    },
  };
}

/** Tells of a rotation that is ordered through the admin listener. */
export function rotationByApi(
  { requestId, remoteAddress }: AdminRequest,
  { telemetry, audit }: RotationObservers,
): RotationObserver {
  const recorded = audit.rotationBy({
    actor: 'admin_api',
    ...(remoteAddress === undefined ? {} : { remote_address: remoteAddress }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
  });
  return {
    ...recorded,
    async rotated(event) {
      telemetry.keyRotated(rotationOf(event), 'api');
      await recorded.rotated(event);
    },
  };
}

/** A rotation as telemetry names its versions. */
export function rotationOf(event: {
  readonly keyName: string;
  readonly previous: string;
  readonly current: string;
}): KeyRotation {
  return { keyName: event.keyName, keyVersion: event.current, previousVersion: event.previous };
}
