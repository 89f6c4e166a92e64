import { expositionContentTypes, negotiateExposition, renderExposition } from '../telemetry/exposition.ts';
import type { MetricFamily } from '../telemetry/metrics.ts';
import { jsonAnswer, type AdminRequest, type AdminResponse } from './admin-answer.ts';
import { answerApi, type AdminApiOptions } from './api.ts';
import { type HealthCheck, ReadinessProbe } from './readiness.ts';

/** Answers one request to the admin listener. */
export type AdminHandler = (request: AdminRequest) => Promise<AdminResponse>;

/** What the admin listener shows. */
export interface AdminOptions {
  readonly checks: Readonly<Record<string, HealthCheck>>;
  readonly registry: { collect(): readonly MetricFamily[] | Promise<readonly MetricFamily[]> };
  /** False while the gateway starts or drains: `/ready` then says so and balancers send no more requests. */
  readonly serving?: () => boolean;
  /** Without it there is no `/api/v1`. */
  readonly api?: AdminApiOptions;
  readonly readinessCacheMs?: number;
  readonly readinessTimeoutMs?: number;
}

/** The handler of the admin listener: `/live`, `/ready`, `/metrics` and `/api/v1`; everything else is not found. */
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
    return jsonAnswer(serving && ok ? 200 : 503, { ok: serving && ok, dependencies: { gateway, ...dependencies } });
  };
  const metrics = async (request: AdminRequest): Promise<AdminResponse> => {
    const format = negotiateExposition(request.headers['accept']);
    const body = renderExposition(await options.registry.collect(), format);
    return {
      status: 200,
      headers: { 'content-type': expositionContentTypes[format], 'cache-control': 'no-store' },
      body,
    };
  };
  return async (request) => {
    const { api } = options;
    const answered = api === undefined ? undefined : await answerApi(request, api);
    if (answered !== undefined) return answered;
    const [path] = request.target.split('?', 1);
    if (path !== '/live' && path !== '/ready' && path !== '/metrics') return jsonAnswer(404, { error: 'not found' });
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const refusal = jsonAnswer(405, { error: 'method not allowed' });
      return { ...refusal, headers: { ...refusal.headers, allow: 'GET, HEAD' } };
    }
    if (path === '/live') return jsonAnswer(200, { ok: true });
    return path === '/ready' ? ready() : metrics(request);
  };
}
