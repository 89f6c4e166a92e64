import type { HttpServerOptions } from '../http/server.ts';
import type { Settings } from '../config/settings.ts';
import type { LineBatch } from '../telemetry/line-batch.ts';
import { createLogger, standardLines } from '../telemetry/logger.ts';
import { MetricsRegistry } from '../telemetry/metrics.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import { version } from './version.ts';

/** Where a process says what happens in it. */
export interface Observation {
  readonly registry: MetricsRegistry;
  readonly telemetry: Telemetry;
  /** Standard output. */
  readonly lines: LineBatch;
}

/** The metrics and the log of this process, which may be one of several. `worker` is the number of a worker process. */
export function observe(
  { telemetry: { logLevel, metrics } }: Settings,
  { isShared = false, worker }: { readonly isShared?: boolean; readonly worker?: number } = {},
): Observation {
  const registry = new MetricsRegistry();
  const lines = standardLines({ isShared });
  const logger = createLogger(logLevel, lines, worker === undefined ? {} : { worker });
  const telemetry = new Telemetry({ logger, registry, bucketLabels: metrics.bucketLabels, version });
  return { registry, telemetry, lines };
}

/** Tells what goes wrong in a listener. */
export function errorsTo(telemetry: Telemetry): NonNullable<HttpServerOptions['onError']> {
  return (error, requestId) => telemetry.listenerError({ requestId, reason: error.code, error });
}
