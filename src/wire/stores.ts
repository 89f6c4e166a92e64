import { FlowBudget } from '../base/flow-budget.ts';
import type { CanaryMismatch } from '../audit/key-audit.ts';
import type { Settings } from '../config/settings.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import { globMatch } from '../policy/glob.ts';
import type { ConfiguredPolicy } from '../policy/policy.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { MetricsRegistry } from '../telemetry/metrics.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import { openBackends } from './backends.ts';
import { guardCanaries } from './canaries.ts';
import { openKeys } from './keys.ts';
import { version } from './version.ts';

/** What a command works with that changes stored objects without serving them. */
export interface OpenedStores extends AsyncDisposable {
  readonly stores: ReadonlyMap<string, ObjectStore>;
  /** Without dual-read windows: every version opens. */
  readonly keys: ReadonlyMap<string, KeyProvider>;
  /** Names of the backends that a policy keeps a bucket in. */
  backendsOf(bucket: string): readonly string[];
  /**
   * Holds a key to its canary in a bucket, and brings the canary under the key's current version.
   * @throws KeyError `misconfigured` for the wrong key.
   */
  checkCanary(at: { readonly backend: string; readonly bucket: string; readonly keyName: string }): Promise<void>;
}

/**
 * Opens the backends and keys of a configuration for a command; makes no keyring.
 * @throws KeyError, S3Error.
 */
export async function openStores(
  settings: Settings,
  onMismatch?: (mismatch: CanaryMismatch) => Promise<void>,
): Promise<OpenedStores> {
  const registry = new MetricsRegistry();
  const telemetry = new Telemetry({ logger: silentLogger, registry, bucketLabels: [], version });
  await using opened = new AsyncDisposableStack();
  const keys = await openKeys(settings, { create: false, opened });
  const backends = await openBackends(settings, { telemetry, budget: new FlowBudget(), opened });
  const canaries = guardCanaries(settings, keys, onMismatch);
  const kept = opened.move();
  return {
    stores: new Map(Array.from(backends, ([name, { store }]) => [name, store])),
    keys: new Map(Array.from(keys, ([name, { unrestricted }]) => [name, unrestricted])),
    backendsOf: (name) => {
      const isKept = ({ match: { buckets } }: ConfiguredPolicy): boolean =>
        buckets.length === 0 || buckets.some((pattern) => globMatch(pattern, name));
      return [...new Set(settings.policies.filter(isKept).map((policy) => policy.backend))];
    },
    async checkCanary({ backend: name, ...at }) {
      const backend = backends.get(name);
      if (backend !== undefined) await canaries.check({ backend, ...at });
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
