import { metricCatalogue } from './metric-catalogue.ts';
import type { MetricsRegistry } from './metrics.ts';

/** What knows how old the bucket keys are. */
export interface BucketKeyAges {
  /** In milliseconds, by the name of the key-encryption key. */
  bucketKeyAges(): ReadonlyMap<string, number>;
}

/** Registers what the keys say of themselves; read at each scrape. */
export function registerKeyMetrics(registry: MetricsRegistry, keys: BucketKeyAges): void {
  const age = registry.gauge(metricCatalogue.bucketKeyAge);
  registry.beforeCollect(() => {
    for (const [key, ageMs] of keys.bucketKeyAges()) age.set({ key }, ageMs / 1000);
  });
}
