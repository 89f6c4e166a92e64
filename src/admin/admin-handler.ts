import { expositionContentTypes, negotiateExposition, renderExposition } from '../telemetry/exposition.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import { type HealthCheck, ReadinessProbe } from './readiness.ts';

/** The part of a request that this listener looks at; the HTTP server's request fits. */
export interface AdminRequest {
  readonly method: string;
  /** Raw request target. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** An answer; the HTTP server's response takes it. */
export interface AdminResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers one request to the admin listener. */
export type AdminHandler = (request: AdminRequest) => Promise<AdminResponse>;

/** What the admin listener shows. */
export interface AdminOptions {
  readonly checks: Readonly<Record<string, HealthCheck>>;
  readonly registry: MetricsRegistry;
  /** False while the gateway starts or drains: `/ready` then says so and balancers send no more requests. */
  readonly serving?: () => boolean;
  readonly readinessCacheMs?: number;
  readonly readinessTimeoutMs?: number;
}

function json(status: number, body: unknown): AdminResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: `${JSON.stringify(body)}\n`,
  };
}

/** The handler of the admin listener: `/live`, `/ready` and `/metrics`; everything else is not found. */
export function createAdminHandler(options: AdminOptions): AdminHandler {
  const probe = new ReadinessProbe({
    checks: options.checks,
    ...(options.readinessCacheMs === undefined ? {} : { cacheMs: options.readinessCacheMs }),
    ...(options.readinessTimeoutMs === undefined ? {} : { timeoutMs: options.readinessTimeoutMs }),
  });
  const ready = async (): Promise<AdminResponse> => {
    const serving = options.serving?.() ?? true;
    const { ok, dependencies } = await probe.check();
    const gateway = serving ? { ok: true } : { ok: false, reason: 'starting or draining' };
    return json(serving && ok ? 200 : 503, { ok: serving && ok, dependencies: { gateway, ...dependencies } });
  };
  const metrics = (request: AdminRequest): AdminResponse => {
    const format = negotiateExposition(request.headers['accept']);
    const body = renderExposition(options.registry.collect(), format);
    return {
      status: 200,
      headers: { 'content-type': expositionContentTypes[format], 'cache-control': 'no-store' },
      body,
    };
  };
  return async (request) => {
    const [path] = request.target.split('?', 1);
    if (path !== '/live' && path !== '/ready' && path !== '/metrics') return json(404, { error: 'not found' });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const refusal = json(405, { error: 'method not allowed' });
      return { ...refusal, headers: { ...refusal.headers, allow: 'GET, HEAD' } };
    }
    if (path === '/live') return json(200, { ok: true });
    return path === '/ready' ? ready() : metrics(request);
  };
}
