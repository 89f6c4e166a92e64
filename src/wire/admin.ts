import { createAdminHandler, type AdminHandler, type AdminOptions } from '../admin/admin-handler.ts';
import type { HealthCheck } from '../admin/readiness.ts';
import { tidedOver } from '../admin/tided-over.ts';
import type { KeyAudit } from '../audit/key-audit.ts';
import type { Settings } from '../config/settings.ts';
import { HttpServer } from '../http/server.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import type { RotationScheduler } from '../keys/rotation-scheduler.ts';
import type { Backend } from '../operations/gateway.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { errorsTo } from './observation.ts';
import type { OpenedParts } from './parts.ts';
import { rotationByApi, scheduleRotations } from './rotations.ts';

/** What is done once for a gateway works with this. */
export interface AdminParts extends OpenedParts {
  /** What `/metrics` shows. */
  readonly metrics: AdminOptions['registry'];
  readonly serving: () => boolean;
  /** Health beside that of backends and keys, by name. */
  readonly checks?: Readonly<Record<string, HealthCheck>>;
}

/** What answers on the admin listener, and what makes the rotations that are due; the latter goes onto `opened`. */
export function administer(
  settings: Settings,
  { opened, keys, backends, providers, telemetry, audit, metrics, serving, checks }: AdminParts,
): { readonly scheduler: RotationScheduler; readonly handler: AdminHandler } {
  const unrestricted = new Map(Array.from(keys, ([name, key]) => [name, key.unrestricted]));
  const scheduler = opened.use(scheduleRotations(settings, { keys: unrestricted, backends, telemetry, audit }));
  const { token } = settings.admin;
  const handler = createAdminHandler({
    registry: metrics,
    serving,
    checks: { ...checks, ...healthChecks(backends, providers, { ...settings.dataKeyCache, audit }) },
    api: {
      ...(token === undefined ? {} : { token }),
      keys: unrestricted,
      rotationObserver: (request) => rotationByApi(request, { telemetry, audit }),
    },
  });
  return { scheduler, handler };
}

/**
 * Starts the admin listener.
 * @throws the system's error.
 */
export function listenForAdmin(
  { admin: { host, port } }: Settings,
  handler: AdminHandler,
  telemetry: Telemetry,
): Promise<HttpServer> {
  return HttpServer.start({ host, port, drainTimeoutMs: 1000, handler, onError: errorsTo(telemetry) });
}

function healthChecks(
  backends: ReadonlyMap<string, Backend>,
  providers: ReadonlyMap<string, KeyProvider>,
  { audit, ...times }: { readonly offlineTtlMs: number; readonly audit: KeyAudit },
): Readonly<Record<string, HealthCheck>> {
  const checks: Record<string, HealthCheck> = {};
  for (const [name, { store }] of backends) checks[`backend:${name}`] = (signal) => store.health({ signal });
  for (const [name, provider] of providers)
    checks[`key:${name}`] = tidedOver(
      audit.watched(name, (signal) => provider.health(signal)),
      times,
    );
  return checks;
}
