import { metricCatalogue } from './metric-catalogue.ts';
import type { MetricsRegistry } from './metrics.ts';

/** What knows how segments are encrypted and decrypted; the last three numbers only rise. */
export interface SegmentStats {
  readonly stats: {
    readonly threads: number;
    readonly busySlots: number;
    readonly poolSegments: number;
    readonly inlineSegments: number;
    readonly threadFailures: number;
  };
}

/** Registers what the crypto threads say of themselves; read at each scrape. */
export function registerCryptoMetrics(registry: MetricsRegistry, pool: SegmentStats): void {
  const threads = registry.gauge(metricCatalogue.cryptoThreads);
  const busySlots = registry.gauge(metricCatalogue.cryptoBusySlots);
  const segments = registry.counter(metricCatalogue.cryptoSegments);
  const failures = registry.counter(metricCatalogue.cryptoThreadFailures);
  let counted = { poolSegments: 0, inlineSegments: 0, threadFailures: 0 };
  registry.beforeCollect(() => {
    const { stats } = pool;
    threads.set({}, stats.threads);
    busySlots.set({}, stats.busySlots);
    segments.add({ path: 'pool' }, stats.poolSegments - counted.poolSegments);
    segments.add({ path: 'inline' }, stats.inlineSegments - counted.inlineSegments);
    failures.add({}, stats.threadFailures - counted.threadFailures);
    counted = stats;
  });
}
